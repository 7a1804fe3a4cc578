def distinct_bytes(x):
    return x.unique().numel() * x.element_size()
