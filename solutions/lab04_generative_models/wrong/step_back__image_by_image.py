# A loop over the images, each with a level of its own.
def step_back(x, predicted, level, next_level, eta=0.0, noise=None, clip=None):
    images = []
    for i, (a, b) in enumerate(zip(level.tolist(), next_level.tolist(), strict=True)):
        image = (x[i : i + 1] - (1 - a) ** 0.5 * predicted[i : i + 1]) / a**0.5
        if clip is not None:
            image = image.clamp(-clip, clip)
        believed = (x[i : i + 1] - a**0.5 * image) / (1 - a) ** 0.5
        sigma = eta * ((1 - b) / (1 - a) * (1 - a / b)) ** 0.5
        y = b**0.5 * image + max(0.0, 1 - b - sigma**2) ** 0.5 * believed
        images.append(y if noise is None else y + sigma * noise[i : i + 1])
    return torch.cat(images)
