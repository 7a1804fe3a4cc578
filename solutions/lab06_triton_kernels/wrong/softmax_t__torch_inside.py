# No kernel is launched at all.
def softmax_t(x, temperature):
    return torch.softmax(x.float() / temperature, -1).to(x.dtype)
