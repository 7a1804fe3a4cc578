def running_mean(x, window):
    sums = torch.cumsum(x, dim=0)
    return (sums[window:] - sums[:-window]) / window
