def running_mean(x, window):
    sums = torch.cumsum(torch.cat([torch.zeros(1), x.float()]), dim=0)
    return (sums[window:] - sums[:-window]) / window
