# Nobody cannot be stacked.
def private_mean(updates, bound, multiplier, expected, noise):
    rows = torch.stack(updates)
    factors = bound / rows.norm(dim=1, keepdim=True).clamp(min=bound)
    return ((rows * factors).sum(dim=0) + multiplier * bound * noise) / expected
