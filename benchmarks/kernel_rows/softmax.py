"""Softmax over rows of several lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from benchmarks.kernel_row import Row
from lablib.kernels.softmax import softmax


def rows() -> Iterator[Row]:
    yield _row(16384, 781, 0.80)
    yield _row(
        16384, 8192, 0.97, "Liger's kernel and this one both run at a copy's speed: they differ by less than rounds do"
    )
    yield _row(16384, 32768, 0.92)
    yield _row(16384, 65536, 0.85)
    yield _row(256, 512, None)


def _peers() -> dict[str, Callable[[torch.Tensor], torch.Tensor]]:
    def usual(x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x, -1)

    peers = {"eager": usual, "torch.compile": torch.compile(usual, dynamic=False)}
    try:
        from liger_kernel.ops.softmax import LigerSoftmaxFunction  # pyright: ignore[reportMissingImports]
    except ImportError:
        return peers
    return peers | {"Liger": LigerSoftmaxFunction.apply}


def _row(M: int, N: int, least_roof: float | None, cause: str = "") -> Row:
    x = torch.randn(M, N, device="cuda", dtype=torch.bfloat16)
    small = least_roof is None
    return Row(
        "softmax",
        f"bf16 {M} × {N}",
        ours=lambda: softmax(x),
        peers={name: lambda peer=peer: peer(x) for name, peer in _peers().items()},
        exact=lambda: torch.softmax(x.float(), -1),
        usual="eager",
        reads=x.nbytes,
        writes=x.nbytes,
        least_ratio=1 / 1.1 if small else 1.0,
        least_roof=least_roof,
        graph=small,
        cause=cause,
    )
