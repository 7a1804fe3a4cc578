# lablib's jump from step 0, given the quotient. It rounds the level to float32 before it takes 1 minus it.
from lablib.models.diffusion import add_noise


def jump(x, noise, levels, s, t):
    return add_noise(x, levels[t] / levels[s], noise)
