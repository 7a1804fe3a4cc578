# A library call.
def conv2d_product(x, w, stride, padding, dilation):
    return F.conv2d(x, w, None, stride, padding, dilation)
