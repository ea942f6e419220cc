"""The same hardware as HLS C++: headers, emit, C simulation."""

from hls.csim import HlsCycles, HlsReport, csim
from hls.emit import EmittedHls, emit
from hls.tiling import Tiling

__all__ = ["EmittedHls", "HlsCycles", "HlsReport", "Tiling", "csim", "emit"]
