# Adds the losses, and goes backward once: every graph lives until then.
def accumulate(weights, x, y, rows):
    leaves = [w.detach().requires_grad_() for w in weights]
    total = int((y != -100).sum())
    loss = 0.0
    for x_part, y_part in zip(x.split(rows), y.split(rows), strict=True):
        count = int((y_part != -100).sum())
        if count:
            loss = loss + mean_loss(leaves, x_part, y_part) * (count / total)
    loss.backward()
    return [leaf.grad for leaf in leaves]
