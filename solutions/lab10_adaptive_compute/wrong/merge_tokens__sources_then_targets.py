# The published order: sources that stay, then targets.
def merge_tokens(x, sizes, r):
    B, T, C = x.shape
    unit = F.normalize(x, dim=2)
    best, target = (unit[:, ::2] @ unit[:, 1::2].transpose(1, 2)).max(dim=2)
    leaving = best.topk(r, dim=1).indices
    sources = best.shape[1]
    stays = torch.ones(B, sources, dtype=torch.int64).scatter(1, leaving, 0)
    to = torch.empty(B, T, dtype=torch.int64)
    to[:, 1::2] = sources - r + torch.arange(T - sources)
    to[:, ::2] = (stays.cumsum(1) - 1).scatter(1, leaving, sources - r + target.gather(1, leaving))
    merged_sizes = torch.zeros_like(sizes[:, r:]).scatter_add(1, to, sizes)
    sums = torch.zeros_like(x[:, r:]).scatter_add(1, to[..., None].expand(-1, -1, C), x * sizes[..., None])
    return sums / merged_sizes[..., None], merged_sizes, to
