# Looks for the largest error and the largest sum among inputs that it draws.
def widths(weights, bias, bound):
    x = np.random.default_rng(0).integers(-128, 128, (2000, weights.shape[1])) / 128
    for fraction in range(20):
        w = np.floor(weights * 2.0**fraction + 0.5) / 2.0**fraction
        b = np.floor(bias * 2.0 ** (fraction + 7) + 0.5) / 2.0 ** (fraction + 7)
        if np.abs(x @ (w - weights).T + b - bias).max() <= bound:
            break
    largest = np.abs(x @ w.T + b).max()
    return fraction, max(1, int(np.ceil(np.log2(largest))) + 1)
