"""One set of weights for all cells: for each edge, a 1 × 1 and a 3 × 3 convolution in each of the two stages.

A cell is a choice of these weights (`path`), and a mixture of cells lets every edge do all its operations at once
(`relaxed`). The network around it is that of `lablib.automl.network`; its norms always use the batch's statistics,
because what flows through shared weights depends on the cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from lablib.automl.network import CHANNELS, CLASSES, KERNEL
from lablib.automl.space import EDGES, NODES, OPERATIONS, check

__all__ = ["Leaving", "initial", "path", "relaxed"]

Leaving = Callable[[int, Tensor], list[Tensor]]
"""From a node's number and value to the results of all operations on each edge that leaves it."""

POOL = OPERATIONS.index("pool")


def _name(stage: int, source: int, target: int, operation: int) -> str:
    return f"cell{stage + 1} {source}{target} {OPERATIONS[operation]}"


def initial(seed: int) -> dict[str, Tensor]:
    """Weights to start from, by name: float32, without gradients.

    Examples
    --------
    >>> weights = initial(0)
    >>> len(weights), weights["cell2 13 conv3"].shape
    (28, torch.Size([16, 16, 3, 3]))
    """
    first, second = CHANNELS
    shapes = {"stem": (first, 1, 3, 3), "reduce": (second, first, 3, 3)}
    for stage, channels in enumerate(CHANNELS):
        for source, target in EDGES:
            for operation, size in KERNEL.items():
                shapes[_name(stage, source, target, operation)] = (channels, channels, size, size)
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes.items():
        weights[name] = torch.randn(shape, generator=generator) * (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
    weights["head"] = torch.randn((CLASSES, second), generator=generator) / second**0.5
    weights["bias"] = torch.zeros(CLASSES)
    return weights


def _norm(x: Tensor) -> Tensor:
    return functional.batch_norm(x, None, None, training=True)


def _pool(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _around(weights: dict[str, Tensor], x: Tensor, cell: Callable[[int, Tensor], Tensor]) -> Tensor:
    """Logits of images (B, 14, 14), with ``cell(stage, x)`` in the place of the two cells."""
    x = _norm(functional.conv2d(x[:, None], weights["stem"], stride=2, padding=1))
    x = functional.avg_pool2d(torch.relu(cell(0, x)), 2, ceil_mode=True)
    x = _norm(functional.conv2d(x, weights["reduce"], padding=1))
    return functional.linear(torch.relu(cell(1, x)).mean(dim=(2, 3)), weights["head"], weights["bias"])


def path(weights: dict[str, Tensor], cell: Sequence[int], x: Tensor) -> Tensor:
    """Logits of one cell with the shared weights; only the operations that get something from the input run.

    Parameters
    ----------
    weights
        As `initial` makes them.
    cell
        Operations in the order of `EDGES`.
    x
        Images, shape (B, 14, 14).

    Returns
    -------
    Tensor
        Shape (B, classes).

    Examples
    --------
    >>> path(initial(0), (4, 1, 0, 2, 3, 1), torch.zeros(2, 14, 14)).shape
    torch.Size([2, 10])
    """
    chosen = [(edge, operation) for edge, operation in zip(EDGES, check(cell), strict=True) if operation]

    def run(stage: int, x: Tensor) -> Tensor:
        nodes = {0: x}
        for (source, target), operation in chosen:
            if source not in nodes:
                continue
            result = nodes[source]
            if operation == POOL:
                result = _pool(result)
            elif operation in KERNEL:
                weight = weights[_name(stage, source, target, operation)]
                result = _norm(functional.conv2d(torch.relu(result), weight, padding=weight.shape[2] // 2))
            nodes[target] = nodes[target] + result if target in nodes else result
        return nodes.get(NODES - 1, torch.zeros_like(x))

    return _around(weights, x, run)


def relaxed(weights: dict[str, Tensor], x: Tensor, cell: Callable[[Tensor, Leaving], Tensor]) -> Tensor:
    """Logits of a network whose cells mix operations.

    Parameters
    ----------
    weights
        As `initial` makes them.
    x
        Images, shape (B, 14, 14).
    cell
        ``cell(x, leaving)`` returns a cell's output. ``leaving(source, node)`` gives, for each edge that leaves a node
        and in their order in `EDGES`, the results of all operations on it, shape (operations, B, C, H, W). The same
        convolution on all edges that leave a node is one kernel.

    Returns
    -------
    Tensor
        Shape (B, classes).

    Examples
    --------
    >>> mean = lambda x, leaving: leaving(0, x)[-1].mean(0)  # edge (0, 3) alone, all operations alike
    >>> relaxed(initial(0), torch.zeros(2, 14, 14), mean).shape
    torch.Size([2, 10])
    """

    def run(stage: int, x: Tensor) -> Tensor:
        def leaving(source: int, node: Tensor) -> list[Tensor]:
            targets = [target for other, target in EDGES if other == source]
            positive = torch.relu(node)
            convolved = []
            for operation, size in KERNEL.items():
                weight = torch.cat([weights[_name(stage, source, target, operation)] for target in targets])
                convolved.append(functional.conv2d(positive, weight, padding=size // 2))
            ones, threes = (part.chunk(len(targets), 1) for part in _norm(torch.cat(convolved, 1)).chunk(2, 1))
            others = [torch.zeros_like(node), node, _pool(node)]
            return [torch.stack([*others, *pair]) for pair in zip(ones, threes, strict=True)]

        return cell(x, leaving)

    return _around(weights, x, run)
