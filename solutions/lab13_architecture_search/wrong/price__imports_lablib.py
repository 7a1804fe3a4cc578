"""Calls the library's own cost model."""
from lablib.automl import costs


def price(cell, channels, side, device, cycles):
    kernels, target = costs.cell_kernels(cell, channels, side), costs.Device(**device)
    return {
        "parameters": sum(kernel.parameters for kernel in kernels),
        "flops": 2 * sum(kernel.multiplications for kernel in kernels),
        "seconds": sum(kernel.cost(target).seconds(target.flops_per_s, target.bytes_per_s) for kernel in kernels),
        "dsps": sum(math.ceil(kernel.multiplications / cycles) for kernel in kernels),
        "luts": 24 * sum(math.ceil(kernel.additions / cycles) for kernel in kernels),
    }
