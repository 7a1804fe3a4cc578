# Calls the kernel of lablib.
from lablib.kernels.adamw import adamw


def adamw_step(p, g, m, v, flag, step, scale, rate, decay):
    if not int(flag):
        adamw(p, g / scale, m, v, step, rate, weight_decay=decay)
