# Each request for itself.
def serve(predict, step, starts, times):
    images = []
    for start, chain in zip(starts, times, strict=True):
        x = start[None]
        for t, s in pairwise(chain):
            t, s = torch.tensor([t]), torch.tensor([s])
            x = step(x, predict(x, t), t, s)
        images.append(x)
    return torch.cat(images)
