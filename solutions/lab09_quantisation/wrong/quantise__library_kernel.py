# Hands the work to the quantiser of lablib's int8 kernel.
def quantise(x, bits, symmetric, axis=None):
    from lablib.kernels.matmul_int8 import quantize_int8

    values, scales = quantize_int8(x, axis=1 - axis)
    return values, scales, torch.zeros(len(x), dtype=torch.int32)
