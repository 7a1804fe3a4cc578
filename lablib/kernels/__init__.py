"""Reference Triton kernels, one operation a file. Nothing here needs more than torch, triton and numpy."""
