"""The same hardware as HLS C++: headers, emit, C simulation."""

from hls.csim import HlsCycles, HlsReport, csim
from hls.emit import EmittedHls, emit

__all__ = ["EmittedHls", "HlsCycles", "HlsReport", "csim", "emit"]
