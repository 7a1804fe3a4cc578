"""SwiGLU of two matrices, forward and with its backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F

from benchmarks.kernel_row import Row
from lablib.kernels.swiglu import swiglu

Tensors = tuple[torch.Tensor, ...]


def rows() -> Iterator[Row]:
    yield _forward(16384, 8192, 0.99)
    yield _with_backward(16384, 8192, None)
    yield _forward(64, 2048, None)


def _usual(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    return F.silu(gate) * up


def _peers() -> dict[str, Callable[..., torch.Tensor]]:
    peers = {"eager": _usual, "torch.compile": torch.compile(_usual, dynamic=False)}
    try:
        from liger_kernel.ops.swiglu import LigerSiLUMulFunction  # pyright: ignore[reportMissingImports]
    except ImportError:
        return peers
    return peers | {"Liger": LigerSiLUMulFunction.apply}


def _forward(M: int, N: int, least_roof: float | None) -> Row:
    gate, up = torch.randn(2, M, N, device="cuda", dtype=torch.bfloat16)
    small = least_roof is None
    return Row(
        "swiglu",
        f"bf16 {M} × {N}",
        ours=lambda: swiglu(gate, up),
        peers={name: lambda peer=peer: peer(gate, up) for name, peer in _peers().items()},
        exact=lambda: _usual(gate.float(), up.float()),
        usual="eager",
        reads=gate.nbytes + up.nbytes,
        writes=gate.nbytes,
        least_ratio=1 / 1.1 if small else None,
        least_roof=least_roof,
        graph=small,
    )


def _with_backward(M: int, N: int, least_roof: float | None) -> Row:
    dy = torch.randn(M, N, device="cuda", dtype=torch.bfloat16)

    def draw() -> Tensors:
        return tuple(torch.randn(M, N, device="cuda", dtype=torch.bfloat16).requires_grad_() for _ in range(2))

    given, others = draw(), draw()  # Liger overwrites the inputs in its backward pass

    def both(function: Callable[..., torch.Tensor], given: Tensors = given, dy: torch.Tensor = dy) -> Tensors:
        return torch.autograd.grad(function(*given), given, dy)

    return Row(
        "swiglu",
        f"bf16 {M} × {N}, forward and backward",
        ours=lambda: both(swiglu),
        peers={
            name: lambda peer=peer, tensors=others if name == "Liger" else given: both(peer, tensors)
            for name, peer in _peers().items()
        },
        exact=lambda: both(_usual, tuple(one.detach().float().requires_grad_() for one in given), dy.float()),
        usual="eager",
        reads=5 * dy.nbytes,
        writes=3 * dy.nbytes,
        least_roof=least_roof,
    )
