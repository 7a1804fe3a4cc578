# A loop over lablib's step, with clipping added.
from lablib.models.sampling import step_back as one_level


def step_back(x, predicted, level, next_level, eta=0.0, noise=None, clip=None):
    images = []
    for i, (a, b) in enumerate(zip(level.tolist(), next_level.tolist(), strict=True)):
        one, believed = x[i : i + 1], predicted[i : i + 1]
        if clip is not None:
            image = ((one - (1 - a) ** 0.5 * believed) / a**0.5).clamp(-clip, clip)
            believed = (one - a**0.5 * image) / (1 - a) ** 0.5
        images.append(one_level(one, believed, a, b, None if noise is None else noise[i : i + 1], eta))
    return torch.cat(images)
