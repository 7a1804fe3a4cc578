def transposed_slice(M, N, a, b, c, d, step):
    view = torch.empty(M, N, device="meta")[a:b, c:d:step].T
    return tuple(view.shape), view.stride(), view.storage_offset()
