"""A compiler from a teaching subset of HLS C++ with pragmas to cycle-exact RTL."""
