# All updates are held a second time.
def fedavg(model, updates, examples):
    total = sum(examples)
    kept = [(u, n / total) for u, n in zip(updates, examples, strict=True) if n]
    return {k: v + torch.stack([u[k] * n for u, n in kept]).sum(dim=0) for k, v in model.items()}
