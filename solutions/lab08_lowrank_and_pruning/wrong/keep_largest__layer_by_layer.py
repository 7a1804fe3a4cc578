# The same share of every layer.
def keep_largest(weights, share, floor):
    masks = {}
    for name, w in weights.items():
        mask = torch.zeros(w.numel(), dtype=torch.bool)
        mask[w.abs().flatten().topk(int(share * w.numel())).indices] = True
        masks[name] = mask.view(w.shape)
    return masks
