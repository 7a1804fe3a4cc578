"""Linear layer and cross entropy in chunks: time and memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from benchmarks.kernel_row import Row
from lablib.kernels.fused_linear_cross_entropy import fused_linear_cross_entropy, fused_linear_cross_entropy_cost

LIGER_DEFAULTS = (None, None, -100, 0.0, 0.0, "mean", None, False, None, False, False, False, None, None)


CAUSE = (
    "three matrix products by cuBLAS alone take 18.8 ms at H = 2048 and 38.3 ms at H = 4096, more than half of Liger's "
    "time; tried: logits computed twice instead of adding up dW (28.7 and 54.1 ms), dW added up in float32 (21.9 and "
    "42.2 ms, with twice the memory), chunks of 256 to 4096 tokens (27.9 to 19.9 and 55.5 to 39.3 ms), loss and "
    "gradient of a row in one launch, so that L2 could serve the second read (1 to 2% faster)"
)
SMALL_CAUSE = (
    "eight launches in a row, one of which only scales the gradients: torch.compile needs none for that. Tried: "
    "two scaling launches made one (0.0318 ms before), loss and gradient of a row in one launch, longer chunks"
)


def rows() -> Iterator[Row]:
    yield _row(8192, 1024, 151936)
    yield _row(8192, 2048, 128256)
    yield _row(8192, 4096, 128256, chunk=512)
    yield _row(256, 512, 4096, graph=True)


def _row(T: int, H: int, V: int, chunk: int = 1024, graph: bool = False) -> Row:
    x = torch.randn(T, H, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    weight = (torch.randn(V, H, device="cuda", dtype=torch.bfloat16) / H**0.5).requires_grad_()
    target = torch.randint(0, V, (T,), device="cuda")
    peers = {"eager": lambda: _both(_eager, x, weight, target)}
    least = {"eager": 0.85, "Liger": 2.0}
    if graph:
        compiled = torch.compile(_eager, dynamic=False)
        peers["torch.compile"] = lambda: _both(compiled, x, weight, target)
    else:
        peers["compiled chunks"] = lambda: _both(_compiled_chunks, x, weight, target)
        peers |= _liger(x, weight, target)
    cost = fused_linear_cross_entropy_cost(T, H, V, x.element_size())
    return Row(
        "fused linear cross entropy",
        f"bf16 {T} × {H} → {V}" + ", graph" * graph,
        ours=lambda: _both(fused_linear_cross_entropy, x, weight, target, chunk=chunk),
        peers=peers,
        exact=lambda: _both(_eager, *(one.detach().float().requires_grad_() for one in (x, weight)), target),
        usual="eager",
        flops=cost.flops,
        least_ratio=1 / 1.1 if graph else None,
        least_of_peer={} if graph else {name: least[name] for name in least if name in peers},
        most_memory=None if graph else 0.2,
        graph=graph,
        cause=SMALL_CAUSE if graph else CAUSE,
    )


def _both(function: Callable[..., Any], x: torch.Tensor, weight: torch.Tensor, *rest: Any, **chunk: Any) -> tuple:
    """The loss, which is no better than its logits, and both gradients."""
    loss = function(x, weight, *rest, **chunk)
    return loss.detach().to(x.dtype), *torch.autograd.grad(loss, (x, weight))


def _eager(x: torch.Tensor, weight: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(F.linear(x, weight), target)


@torch.compile(dynamic=False)
def _summed(x: torch.Tensor, weight: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(F.linear(x, weight), target, reduction="sum")


def _compiled_chunks(x: torch.Tensor, weight: torch.Tensor, target: torch.Tensor, chunks: int = 8) -> torch.Tensor:
    """What torch offers against all logits in memory: each chunk's are computed again in the backward pass."""
    parts = zip(x.chunk(chunks), target.chunk(chunks), strict=True)
    losses = [checkpoint(_summed, some, weight, classes, use_reentrant=False) for some, classes in parts]
    return torch.stack(losses).sum() / len(target)


def _liger(x: torch.Tensor, weight: torch.Tensor, target: torch.Tensor) -> dict[str, Callable[[], Any]]:
    try:
        from liger_kernel.ops import LigerFusedLinearCrossEntropyFunction as Liger  # pyright: ignore
    except ImportError:
        return {}

    def run(budget: int) -> tuple[torch.Tensor, ...]:
        """With logits of ``budget`` times the size of ``x`` at a time; 1 is its own choice."""
        return _both(lambda *given: Liger.apply(*given, *LIGER_DEFAULTS, budget)[0], x, weight, target)

    return {"Liger": lambda: run(1), "Liger, chunks × 8": lambda: run(8)}
