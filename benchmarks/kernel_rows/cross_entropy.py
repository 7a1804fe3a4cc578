"""Cross entropy, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.kernel_row import Row
from lablib.kernels.cross_entropy import cross_entropy, cross_entropy_cost


def rows() -> Iterator[Row]:
    yield _row(8192, 128256, least_ratio=1.5)
    yield _row(32768, 32000, least_ratio=1.5)
    yield _row(256, 4096, least_ratio=1 / 1.1, graph=True)


def _row(M: int, N: int, least_ratio: float, graph: bool = False) -> Row:
    logits = torch.randn(M, N, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    target = torch.randint(0, N, (M,), device="cuda")
    compiled = torch.compile(F.cross_entropy, dynamic=False)
    peers = {
        "eager": lambda: _both(F.cross_entropy, logits, target),
        "torch.compile": lambda: _both(compiled, logits, target),
    }
    if not graph:  # Liger waits for the GPU, which a graph cannot
        peers |= _liger(logits, target)
    cost = cross_entropy_cost(M, N, logits.element_size())
    return Row(
        "cross entropy",
        f"bf16 {M} × {N} forward + backward" + ", graph" * graph,
        ours=lambda: _both(cross_entropy, logits, target),
        peers=peers,
        exact=lambda: _both(F.cross_entropy, logits.detach().float().requires_grad_(), target),
        usual="eager",
        reads=cost.bytes - logits.nbytes,
        writes=logits.nbytes,
        least_ratio=least_ratio,
        graph=graph,
    )


def _both(function: Callable[..., Any], logits: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, ...]:
    loss = function(logits, target)
    return loss.detach(), *torch.autograd.grad(loss, logits)


def _liger(logits: torch.Tensor, target: torch.Tensor) -> dict[str, Callable[[], Any]]:
    try:
        from liger_kernel.ops.cross_entropy import LigerCrossEntropyFunction  # pyright: ignore[reportMissingImports]
    except ImportError:
        return {}

    def run() -> tuple[torch.Tensor, ...]:
        # It writes the gradient over the logits; a copy keeps them, as the others do.
        copy = logits.detach().clone().requires_grad_()
        return _both(lambda *given: LigerCrossEntropyFunction.apply(*given, None)[0], copy, target)

    return {"Liger, of a copy": run}
