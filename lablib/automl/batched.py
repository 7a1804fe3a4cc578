"""Many networks of different cells side by side, as one computation over tensors with a leading axis of models.

A single one of these networks is far too small for a GPU: its kernels would last less than their launch. Here one
launch serves thousands. Activations are (models, channels, images, height, width), so that a convolution is one batched
matmul, and a batch norm over one model's images one contiguous reduction. Where models differ, at their edges, the rows
of those that chose an operation are gathered, computed together, and added to the rows of their target nodes:

    node 0 ──rows of models whose edge is conv3──> (n, C·9, B·H·W) ──bmm──> norm ──add to these rows──> node 1, 2, 3

It computes what `lablib.automl.network.Network` computes, model for model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lablib.automl.network import CHANNELS, CLASSES, KERNEL, initial_state
from lablib.automl.space import EDGES, NODES, OPERATIONS

__all__ = ["Networks", "convolve"]

SKIP, POOL = OPERATIONS.index("skip"), OPERATIONS.index("pool")


def _columns(x: Tensor, stride: int = 1) -> Tensor:
    """Windows of 3 × 3: (M, C, B, H, W) to (M, C·9, B·H'·W'), zeros around the image."""
    windows = functional.pad(x, (1, 1, 1, 1)).unfold(3, 3, stride).unfold(4, 3, stride)
    models, channels, images, height, width = windows.shape[:5]
    return windows.permute(0, 1, 5, 6, 2, 3, 4).reshape(models, channels * 9, images * height * width)


class _Convolve(torch.autograd.Function):
    """3 × 3 convolutions, each model with its own weights.

    The gradient of the input is a convolution as well, with the kernel turned around: autograd would scatter the
    columns back instead, nine additions for every pixel.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        columns = _columns(x)
        ctx.save_for_backward(columns, weight)
        return torch.bmm(weight.flatten(2), columns).view(*weight.shape[:2], *x.shape[2:])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        columns, weight = ctx.saved_tensors
        by_weight = torch.bmm(gradient.flatten(2), columns.transpose(1, 2)).view_as(weight)
        turned = weight.flip(3, 4).transpose(1, 2).flatten(2)
        by_input = torch.bmm(turned, _columns(gradient))
        return by_input.view(*by_input.shape[:2], *gradient.shape[2:]), by_weight


def convolve(x: Tensor, weight: Tensor) -> Tensor:
    """Convolutions that keep the images' size, one for each model.

    Parameters
    ----------
    x
        Shape (M, C, B, H, W).
    weight
        Shape (M, O, C, K, K), K being 1 or 3.

    Returns
    -------
    Tensor
        Shape (M, O, B, H, W).
    """
    if weight.shape[3] == 1:
        return torch.bmm(weight.flatten(2), x.flatten(2)).view(*weight.shape[:2], *x.shape[2:])
    return _Convolve.apply(x, weight)  # pyright: ignore[reportReturnType]


def _pool(x: Tensor, size: int, **how: Any) -> Tensor:
    """Means over places, (M, C, B, H, W) to (M, C, B, H', W')."""
    pooled = functional.avg_pool2d(x.flatten(0, 1), size, **how)
    return pooled.view(*x.shape[:2], *pooled.shape[1:])


class Networks:
    """Networks of several cells, each with its own weights and running statistics.

    Parameters
    ----------
    cells
        Operations of each cell.
    seeds
        Every cell is there once for each seed; model ``s * len(cells) + c`` is cell c with seed s.
    device
        Where the tensors are.

    Attributes
    ----------
    parameters
        Leaves for an optimizer, by name. ``("cell1", source, operation)`` holds the weights of all models that have
        this operation on an edge from this node, in the order of `uses`.
    uses
        By (source, operation): pairs (target, rows), the models whose edge source → target has the operation.
    """

    def __init__(self, cells: Sequence[tuple[int, ...]], seeds: Sequence[int], device: torch.device) -> None:
        self.cells, self.seeds, self.device = list(cells), list(seeds), device
        self.models = len(cells) * len(seeds)
        self.uses = self._uses()
        self.parameters: dict[Any, Tensor] = {}
        self.statistics: dict[Any, tuple[Tensor, Tensor]] = {}
        self._initialise()

    def _uses(self) -> dict[tuple[int, int], list[tuple[int, Tensor]]]:
        chosen = torch.tensor(self.cells).repeat(len(self.seeds), 1)
        uses: dict[tuple[int, int], list[tuple[int, Tensor]]] = {}
        for edge, (source, target) in enumerate(EDGES):
            for operation in range(1, len(OPERATIONS)):
                rows = (chosen[:, edge] == operation).nonzero()[:, 0]
                if len(rows):
                    uses.setdefault((source, operation), []).append((target, rows.to(self.device)))
        return uses

    def _initialise(self) -> None:
        states = [initial_state(cell, seed) for seed in self.seeds for cell in self.cells]

        def leaf(key: Any, tensors: list[Tensor]) -> None:
            self.parameters[key] = torch.stack(tensors).to(self.device).requires_grad_()

        for name in ("stem.weight", "reduce.weight", "head.weight", "head.bias"):
            leaf(name, [state[name] for state in states])
        for stage in ("cell1", "cell2"):
            for (source, operation), pairs in self.uses.items():
                if operation in KERNEL:
                    leaf((stage, source, operation), [
                        states[row][f"{stage}.edges.{source}{target}.1.weight"]
                        for target, rows in pairs for row in rows.tolist()
                    ])  # fmt: skip

    def _norm(self, key: Any, x: Tensor, training: bool) -> Tensor:
        """Batch norm: models and channels are the channels of one image whose pixels are all images' pixels."""
        channels = x.shape[0] * x.shape[1]
        if key not in self.statistics:
            self.statistics[key] = (torch.zeros(channels, device=x.device), torch.ones(channels, device=x.device))
        mean, variance = self.statistics[key]
        flat = x.reshape(1, channels, -1)
        return functional.batch_norm(flat, mean, variance, training=training).view_as(x)

    def _operate(self, stage: str, source: int, operation: int, x: Tensor, training: bool) -> Tensor:
        """One operation on the rows that chose it."""
        if operation == SKIP:
            return x
        if operation == POOL:
            return _pool(x, 3, stride=1, padding=1, count_include_pad=False)
        key = (stage, source, operation)
        return self._norm(key, convolve(torch.relu(x), self.parameters[key]), training)

    def _cell(self, stage: str, x: Tensor, training: bool) -> Tensor:
        nodes = [x] + [torch.zeros_like(x) for _ in range(NODES - 1)]
        for source in range(NODES - 1):
            uses = {operation: pairs for (node, operation), pairs in self.uses.items() if node == source}
            if not uses:
                continue
            # One gather for all that leaves this node: backward then adds into its gradient once, not once for each.
            rows = [torch.cat([rows for _, rows in pairs]) for pairs in uses.values()]
            parts = nodes[source].index_select(0, torch.cat(rows)).split([len(part) for part in rows])
            for (operation, pairs), part in zip(uses.items(), parts, strict=True):
                results = self._operate(stage, source, operation, part, training)
                for (target, chosen), result in zip(pairs, results.split([len(r) for _, r in pairs]), strict=True):
                    nodes[target].index_add_(0, chosen, result)
        return nodes[-1]

    def logits(self, images: Tensor, training: bool) -> Tensor:
        """Logits of every model.

        Parameters
        ----------
        images
            Shape (seeds, B, side, side): the models of one seed see the same images.
        training
            Norms use the batch's statistics, and keep them.

        Returns
        -------
        Tensor
            Shape (models, B, classes).
        """
        seeds, batch = images.shape[:2]
        # The windows of the images are made once for all cells of a seed.
        windows = _columns(images[:, None], stride=2)
        x = torch.bmm(self.parameters["stem.weight"].view(seeds, -1, 9), windows)
        side = (images.shape[2] + 1) // 2
        x = self._norm("stem", x.view(self.models, CHANNELS[0], batch, side, side), training)
        x = _pool(torch.relu(self._cell("cell1", x, training)), 2, ceil_mode=True)
        x = self._norm("reduce", convolve(x, self.parameters["reduce.weight"]), training)
        x = torch.relu(self._cell("cell2", x, training)).mean(dim=(3, 4))
        head = torch.bmm(self.parameters["head.weight"], x) + self.parameters["head.bias"][:, :, None]
        assert head.shape == (self.models, CLASSES, batch)
        return head.transpose(1, 2)
