"""The network around a cell: one training of it takes seconds, which is why every cell could be trained.

    image 14×14 ──3×3, /2, norm──> cell, 8 channels at 7×7 ──ReLU, mean of 2×2──> 4×4
                ──3×3, norm──> cell, 16 channels at 4×4 ──ReLU──> mean over places ──> linear ──> classes

Both cells are the same architecture, with weights of their own. The norms have no scale and shift: an edge's output
then has the same size whatever its operation, as DARTS and weight sharing need it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lablib.automl.space import EDGES, NODES, OPERATIONS, check, number

__all__ = ["CHANNELS", "CLASSES", "KERNEL", "SIDE", "Cell", "Network", "initial_state", "norm", "operation"]

CHANNELS = (8, 16)
"""Channels of the two cells."""

SIDE = 14
"""Height and width of the images."""

CLASSES = 10

KERNEL = {OPERATIONS.index("conv1"): 1, OPERATIONS.index("conv3"): 3}
"""Kernel size of the operations that have weights."""


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm without scale and shift."""
    return nn.BatchNorm2d(channels, affine=False)


def operation(chosen: int, channels: int) -> nn.Module:
    """One operation of an edge, as a module; ``none`` has none.

    Parameters
    ----------
    chosen
        Position in `OPERATIONS`, from 1.
    channels
        Channels that come in and go out.
    """
    name = OPERATIONS[chosen]
    if name == "skip":
        return nn.Identity()
    if name == "pool":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    size = KERNEL[chosen]
    return nn.Sequential(nn.ReLU(), nn.Conv2d(channels, channels, size, padding=size // 2, bias=False), norm(channels))


class Cell(nn.Module):
    """A cell: each node the sum of its edges.

    Parameters
    ----------
    cell
        Operations in the order of `EDGES`.
    channels
        Of its input, its nodes and its output.
    """

    def __init__(self, cell: Sequence[int], channels: int) -> None:
        super().__init__()
        chosen = zip(EDGES, check(cell), strict=True)
        self.edges = nn.ModuleDict({f"{s}{t}": operation(o, channels) for (s, t), o in chosen if o})

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x] + [torch.zeros_like(x) for _ in range(NODES - 1)]
        for source, target in EDGES:
            key = f"{source}{target}"
            if key in self.edges:
                nodes[target] = nodes[target] + self.edges[key](nodes[source])
        return nodes[-1]


class Network(nn.Module):
    """Images to logits, through two cells of one architecture.

    Examples
    --------
    >>> model = Network((4, 1, 0, 2, 3, 1))
    >>> model(torch.zeros(2, 1, SIDE, SIDE)).shape
    torch.Size([2, 10])
    """

    def __init__(self, cell: Sequence[int]) -> None:
        super().__init__()
        first, second = CHANNELS
        self.stem = nn.Conv2d(1, first, 3, stride=2, padding=1, bias=False)
        self.stem_norm = norm(first)
        self.cell1 = Cell(cell, first)
        # 7 places become 4: the last of a row is averaged alone.
        self.shrink = nn.AvgPool2d(2, ceil_mode=True)
        self.reduce = nn.Conv2d(first, second, 3, padding=1, bias=False)
        self.reduce_norm = norm(second)
        self.cell2 = Cell(cell, second)
        self.head = nn.Linear(second, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.cell1(self.stem_norm(self.stem(x)))
        x = self.cell2(self.reduce_norm(self.reduce(self.shrink(torch.relu(x)))))
        return self.head(torch.relu(x).mean(dim=(2, 3)))


def initial_state(cell: Sequence[int], seed: int) -> dict[str, Tensor]:
    """The weights that a training starts from: those of `Network`'s parameters, by name.

    They are a function of (cell, seed) alone, however many are trained side by side and wherever. Convolutions are
    normal with variance 2 / fan-in, the head with variance 1 / fan-in, its bias zero (He et al., arXiv:1502.01852).
    """
    generator = torch.Generator().manual_seed(1_000_003 * seed + number(cell))
    first, second = CHANNELS
    shapes = {"stem.weight": (first, 1, 3, 3), "reduce.weight": (second, first, 3, 3)}
    for stage, channels in enumerate(CHANNELS, start=1):
        for (source, target), chosen in zip(EDGES, check(cell), strict=True):
            if chosen in KERNEL:
                size = KERNEL[chosen]
                name = f"cell{stage}.edges.{source}{target}.1.weight"
                shapes[name] = (channels, channels, size, size)
    state = {}
    for name, shape in shapes.items():
        deviation = (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
        state[name] = torch.randn(shape, generator=generator) * deviation
    state["head.weight"] = torch.randn((CLASSES, second), generator=generator) / second**0.5
    state["head.bias"] = torch.zeros(CLASSES)
    return state
