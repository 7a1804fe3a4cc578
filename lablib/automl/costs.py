"""What a cell costs at inference: parameters, FLOPs, roofline seconds on a GPU and a CPU, multipliers on an FPGA.

The norms are folded into the convolutions before them, so that an edge is one kernel: it reads its source node and its
weights, and writes its result. A node with two edges or more is one kernel more, which reads them all and writes their
sum; ``skip`` is no kernel, its source is read by the sum. Idle edges (`lablib.automl.liveness.live`) cost nothing.

Seconds are bounds of a roofline, kernel after kernel, without launches and caches: they rank cells, a clock shows more.
An FPGA gets one engine for each kernel, all of them at work on images in a pipeline, each with just enough multipliers
and adders to be done within `CYCLES` an image. A multiplier is a DSP slice. An adder of n bits takes about n look-up
tables, one for each bit and its carry, before a tool merges or trims any: what ``luts`` counts is an estimate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lablib.automl.liveness import live
from lablib.automl.network import CHANNELS, CLASSES, KERNEL, SIDE
from lablib.automl.space import EDGES, NODES, OPERATIONS
from lablib.gpu.cost import Cost
from lablib.gpu.specs import gpu

__all__ = [
    "ADDER_BITS",
    "CPU",
    "CYCLES",
    "H200",
    "SIDES",
    "Device",
    "Kernel",
    "cell_kernels",
    "dsps",
    "flops",
    "kernels",
    "luts",
    "parameters",
    "seconds",
]

SIDES = ((SIDE + 1) // 2, (SIDE + 3) // 4)
"""Height and width of the two cells' images."""

CYCLES = 3136
"""Clock cycles between two images on the FPGA: at 200 MHz, 64 000 images a second."""


ADDER_BITS = 24
"""Width of an adder on the FPGA: enough for sums of some hundred products of 8 × 8 bits."""


@dataclass(frozen=True)
class Device:
    """What a roofline needs to know: rates a second, bytes of a number, images that are computed together."""

    flops_per_s: float
    bytes_per_s: float
    itemsize: int
    batch: int


H200 = Device(gpu("sm_90").flops_per_s, gpu("sm_90").bytes_per_s, itemsize=2, batch=256)
"""float16, 256 images; rates of the datasheet."""

CPU = Device(96e9, 25.6e9, itemsize=4, batch=1)
"""float32, one image, one core: two fused multiply-adds of 8 lanes a cycle at 3 GHz; one channel of DDR4-3200."""


@dataclass(frozen=True)
class Kernel:
    """One kernel, for one image: multiplications, additions, parameters, and the numbers that it reads and writes."""

    name: str
    multiplications: int
    additions: int
    parameters: int
    read: int
    written: int

    def cost(self, device: Device) -> Cost:
        """FLOPs and bytes of a batch; the parameters are read once."""
        moved = device.batch * (self.read + self.written) + self.parameters
        return Cost(2 * device.batch * self.multiplications, device.itemsize * moved)


def kernels(cell: Sequence[int]) -> list[Kernel]:
    """The kernels of the network around a cell, in the order in which they run.

    Examples
    --------
    A cell of one 3 × 3 convolution:

    >>> [kernel.name for kernel in kernels((0, 0, 0, 4, 0, 0))]
    ['stem', 'cell1 03 conv3', 'shrink', 'reduce', 'cell2 03 conv3', 'head']
    """
    (first, second), (large, small) = CHANNELS, SIDES
    return [
        _convolution("stem", 1, first, 3, large, read=SIDE * SIDE),
        *cell_kernels(cell, first, large, "cell1 "),
        Kernel("shrink", 0, 3 * first * small * small, 0, first * large * large, first * small * small),
        _convolution("reduce", first, second, 3, small),
        *cell_kernels(cell, second, small, "cell2 "),
        _head(second, second * small * small),
    ]


def _head(channels: int, read: int) -> Kernel:
    # The mean over places, and a linear layer.
    products = channels * CLASSES
    return Kernel("head", products, read + products, products + CLASSES, read, CLASSES)


def _convolution(name: str, inside: int, outside: int, size: int, side: int, read: int | None = None) -> Kernel:
    # The folded norm leaves a bias.
    weights, places = inside * outside * size * size, side * side
    read = inside * places if read is None else read
    return Kernel(name, weights * places, weights * places, weights + outside, read, outside * places)


def cell_kernels(cell: Sequence[int], channels: int, side: int, stage: str = "") -> list[Kernel]:
    """The kernels of one cell alone, on ``channels`` images of ``side`` × ``side``; names start with ``stage``."""
    numbers, found, brought = channels * side * side, [], [0] * NODES
    for (source, target), chosen in zip(EDGES, live(cell), strict=True):
        brought[target] += chosen > 0
        name = f"{stage}{source}{target} {OPERATIONS[chosen]}"
        if chosen in KERNEL:
            found.append(_convolution(name, channels, channels, KERNEL[chosen], side))
        elif OPERATIONS[chosen] == "pool":
            found.append(Kernel(name, 0, 8 * numbers, 0, numbers, numbers))
    sums = [
        Kernel(f"{stage}sum {node}", 0, (n - 1) * numbers, 0, n * numbers, numbers)
        for node, n in enumerate(brought)
        if n > 1
    ]
    return found + sums


def parameters(cell: Sequence[int]) -> int:
    """Parameters of the network, norms folded.

    Examples
    --------
    >>> parameters((0, 0, 0, 4, 0, 0)), parameters((0, 0, 0, 3, 0, 0))
    (4322, 1762)
    """
    return sum(kernel.parameters for kernel in kernels(cell))


def flops(cell: Sequence[int]) -> int:
    """FLOPs of one image; a multiplication and an addition are two.

    Examples
    --------
    >>> flops((0, 0, 0, 4, 0, 0)) - flops((0, 0, 0, 0, 0, 0))
    130176
    """
    return 2 * sum(kernel.multiplications for kernel in kernels(cell))


def seconds(cell: Sequence[int], device: Device) -> float:
    """The roofline's bound for one batch on a device, kernel after kernel.

    Examples
    --------
    >>> round(1e6 * seconds((0, 0, 0, 4, 0, 0), CPU), 2)
    1.99
    """
    return sum(kernel.cost(device).seconds(device.flops_per_s, device.bytes_per_s) for kernel in kernels(cell))


def dsps(cell: Sequence[int]) -> int:
    """Multipliers on an FPGA (one DSP slice each), so that every engine is done with an image in `CYCLES`.

    Examples
    --------
    >>> dsps((0, 0, 0, 4, 0, 0)) - dsps((0, 0, 0, 3, 0, 0))
    18
    """
    return sum(math.ceil(kernel.multiplications / CYCLES) for kernel in kernels(cell))


def luts(cell: Sequence[int]) -> int:
    """Look-up tables on an FPGA, for the adders of all engines: `ADDER_BITS` for each.

    Examples
    --------
    >>> luts((0, 0, 0, 2, 0, 0)) - luts((0, 0, 0, 1, 0, 0))
    48
    """
    return ADDER_BITS * sum(math.ceil(kernel.additions / CYCLES) for kernel in kernels(cell))
