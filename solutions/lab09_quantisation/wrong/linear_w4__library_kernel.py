# Packs anew for lablib's kernel, and calls that.
def linear_w4(x, packed, low, step, BLOCK_M=16, BLOCK_N=32):
    from lablib.kernels.matmul_int4 import matmul_int4, quantize_int4

    return matmul_int4(x, *quantize_int4(unpack(packed, low, step).half(), group=64))
