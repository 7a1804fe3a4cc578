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


def rows() -> Iterator[Row]:
    yield _row(8192, 1024, 151936)
    yield _row(8192, 2048, 128256)
    yield _row(8192, 4096, 128256, chunk=512)


def _row(T: int, H: int, V: int, **chunk: int) -> Row:
    x = torch.randn(T, H, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    weight = (torch.randn(V, H, device="cuda", dtype=torch.bfloat16) / H**0.5).requires_grad_()
    target = torch.randint(0, V, (T,), device="cuda")
    peers = {
        "eager": lambda: _both(_eager, x, weight, target),
        "compiled chunks": lambda: _both(_compiled_chunks, x, weight, target),
    }
    peers |= _liger(x, weight, target)
    cost = fused_linear_cross_entropy_cost(T, H, V, x.element_size())
    return Row(
        "fused linear cross entropy",
        f"bf16 {T} × {H} → {V}",
        ours=lambda: _both(fused_linear_cross_entropy, x, weight, target, **chunk),
        peers=peers,
        exact=lambda: _both(_eager, *(one.detach().float().requires_grad_() for one in (x, weight)), target),
        usual="eager",
        flops=cost.flops,
        least_of_peer={"eager": 0.85} | ({"Liger": 2.0} if "Liger" in peers else {}),
        most_memory=0.2,
    )


def _both(function: Callable[..., Any], x: torch.Tensor, weight: torch.Tensor, *rest: Any, **chunk: Any) -> tuple:
    loss = function(x, weight, *rest, **chunk)
    return loss.detach(), *torch.autograd.grad(loss, (x, weight))


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
        from liger_kernel.ops.fused_linear_cross_entropy import LigerFusedLinearCrossEntropyFunction  # pyright: ignore[reportMissingImports]
    except ImportError:
        return {}

    def run(budget: int) -> tuple[torch.Tensor, ...]:
        """With logits of ``budget`` times the size of ``x`` at a time; 1 is its own choice."""
        return _both(
            lambda *given: LigerFusedLinearCrossEntropyFunction.apply(*given, *LIGER_DEFAULTS, budget)[0],
            x,
            weight,
            target,
        )

    return {"Liger": lambda: run(1), "Liger, chunks × 8": lambda: run(8)}
