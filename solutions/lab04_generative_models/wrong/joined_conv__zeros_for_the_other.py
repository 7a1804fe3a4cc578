# Convolves with all channels twice, zeros in place of the other tensor.
def joined_conv(y, skip, weight, bias):
    left = torch.cat([y, torch.zeros_like(skip)], dim=1)
    right = torch.cat([torch.zeros_like(y), skip], dim=1)
    return F.conv2d(left, weight, bias, padding=1) + F.conv2d(right, weight, padding=1)
