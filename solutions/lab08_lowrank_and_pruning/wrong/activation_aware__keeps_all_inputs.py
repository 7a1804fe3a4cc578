# Puts all inputs on top of each other.
def activation_aware(w, batches, rank):
    y = torch.cat(batches) @ w.T
    b = torch.linalg.eigh(y.T @ y)[1][:, -rank:]
    return b, b.T @ w
