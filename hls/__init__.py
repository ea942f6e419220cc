"""The same hardware as HLS C++: headers, emit, C simulation."""
