# The library of kernels says what a convolution costs.
def conv3d_cost(shape, channels_out, kernel, stride, padding):
    from lablib.kernels.conv3d import conv3d_cost as cost
    from lablib.kernels.conv_shapes import output_size

    B, C, *size = shape
    out = output_size(size, kernel, stride, padding, (1, 1, 1))
    flops = cost(B, C, size, channels_out, kernel, out, 4).flops
    return flops // (2 * B * out[0] * out[1] * out[2]), flops
