# The right result by one 3D convolution with the products of the filters, at its full price.
def conv2plus1d(x, spatial, temporal, stride):
    d, t = spatial.shape[-1], temporal.shape[-1]
    w = torch.einsum("omt,mchw->octhw", temporal, spatial)
    return F.conv3d(x, w, None, (stride[0], stride[1], stride[1]), (t // 2, d // 2, d // 2))
