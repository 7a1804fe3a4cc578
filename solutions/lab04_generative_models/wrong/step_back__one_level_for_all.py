# lablib's step at the first image's levels.
from lablib.models.sampling import step_back as one_level


def step_back(x, predicted, level, next_level, eta=0.0, noise=None, clip=None):
    return one_level(x, predicted, float(level[0]), float(next_level[0]), noise, eta)
