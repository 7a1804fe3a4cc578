"""AdamW on one tensor and on many."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import torch

from benchmarks.kernel_row import Row
from lablib.kernels.adamw import adamw, adamw_cost, adamw_reference

STEP = 3
TOTAL = 2**28
LAYER = (2048 * 1024, 1024 * 1024, 4096 * 352, 65536, 4096, 1000, 77)  # sizes of matrices, biases and oddities


def rows() -> Iterator[Row]:
    yield _row("one tensor of 2^28", [TOTAL], least_ratio=1.15, least_roof=0.93)
    some = list(islice(cycle(LAYER), 299))
    yield _row("300 tensors, 2^28 elements", [*some, TOTAL - sum(some)], least_ratio=1.0)
    yield _row("one tensor of 2^16", [2**16], least_ratio=1 / 1.1, graph=True)
    yield _row("100 tensors of 1000", [1000] * 100, least_ratio=1 / 1.1, graph=True)


def _row(case: str, sizes: list[int], least_ratio: float, least_roof: float | None = None, graph: bool = False) -> Row:
    """Each function has tensors of its own, which begin alike: a step changes them."""
    ours, theirs, kept = (_tensors(sizes) for _ in range(3))
    steps = [torch.tensor(float(STEP), device="cuda") for _ in sizes]
    given = ours if len(sizes) > 1 else [one for (one,) in ours]
    cost = adamw_cost(sum(sizes))

    def run() -> Any:
        adamw(*given, step=STEP)
        return ours[0], ours[2], ours[3]

    def fused() -> Any:
        torch.ops.aten._fused_adamw_(
            *theirs, [], steps, lr=1e-3, beta1=0.9, beta2=0.999, weight_decay=1e-2, eps=1e-8, amsgrad=False,
            maximize=False,
        )  # fmt: skip
        return theirs[0], theirs[2], theirs[3]

    return Row(
        "adamw",
        f"fp32 {case}" + ", graph" * graph,
        ours=run,
        peers={"torch fused": fused},
        exact=lambda: _exact(kept),
        usual="torch fused",
        reads=cost.bytes * 4 // 7,
        writes=cost.bytes * 3 // 7,
        least_ratio=least_ratio,
        least_roof=least_roof,
        graph=graph,
    )


def _tensors(sizes: list[int]) -> list[list[torch.Tensor]]:
    torch.manual_seed(0)
    return [[(torch.rand if which == 3 else torch.randn)(n, device="cuda") for n in sizes] for which in range(4)]


def _exact(kept: list[list[torch.Tensor]]) -> tuple[list[torch.Tensor], ...]:
    steps = (adamw_reference(*(one.double() for one in parts), step=STEP) for parts in zip(*kept, strict=True))
    return tuple(map(list, zip(*steps, strict=True)))
