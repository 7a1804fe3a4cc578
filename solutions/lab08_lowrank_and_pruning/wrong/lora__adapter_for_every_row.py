# Copies an adapter for each row, to have one batched product.
def lora(x, w, a, b, which):
    rows = (which >= 0).nonzero().flatten()
    y = x @ w.T
    chosen = which[rows]
    thin = torch.bmm(a[chosen], x[rows, :, None])
    return y.index_add(0, rows, torch.bmm(b[chosen], thin)[..., 0])


def merge(w, a, b, share):
    n, r, K = a.shape
    wide = (b * share[:, None, None]).permute(1, 0, 2).reshape(len(w), n * r)
    return torch.addmm(w.float(), wide, a.reshape(n * r, K)).to(w.dtype)
