"""Layer norm over rows, forward and with its backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F

from benchmarks.kernel_row import Row
from lablib.kernels.layer_norm import layer_norm

Tensors = tuple[torch.Tensor, ...]


def rows() -> Iterator[Row]:
    yield _forward(16384, 8192, 0.95)
    yield _with_backward(16384, 8192, 0.80)
    yield _forward(256, 768, None)


def _draw(M: int, N: int, gradients: bool = False) -> Tensors:
    x = torch.randn(M, N, device="cuda", dtype=torch.bfloat16)
    weight, bias = torch.randn(2, N, device="cuda", dtype=torch.bfloat16)
    return tuple(one.detach().requires_grad_(gradients) for one in (x, weight, bias))


def _usual(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return F.layer_norm(x, weight.shape, weight, bias)


def _peers() -> dict[str, Callable[..., torch.Tensor]]:
    peers = {"eager": _usual, "torch.compile": torch.compile(_usual, dynamic=False)}
    try:
        from liger_kernel.ops.layer_norm import LigerLayerNormFunction  # pyright: ignore[reportMissingImports]
    except ImportError:
        return peers
    return peers | {"Liger": lambda x, weight, bias: LigerLayerNormFunction.apply(x, weight, bias, 1e-5)}


def _forward(M: int, N: int, least_roof: float | None) -> Row:
    given = _draw(M, N)
    small = least_roof is None
    return Row(
        "layer_norm",
        f"bf16 {M} × {N}",
        ours=lambda: layer_norm(*given),
        peers={name: lambda peer=peer: peer(*given) for name, peer in _peers().items()},
        exact=lambda: _usual(*(one.float() for one in given)),
        usual="eager",
        reads=given[0].nbytes,
        writes=given[0].nbytes,
        least_ratio=1 / 1.1 if small else None,
        least_roof=least_roof,
        graph=small,
        cause="latency: load, two reductions, load and store wait for each other; "
        "1, 2, 4 and 8 warps took 2.45, 2.53, 2.40 and 2.45 µs; weights loaded first give the same machine code",
    )


def _with_backward(M: int, N: int, least_roof: float) -> Row:
    given = _draw(M, N, gradients=True)
    dy = torch.randn(M, N, device="cuda", dtype=torch.bfloat16)

    def both(function: Callable[..., torch.Tensor], given: Tensors = given, dy: torch.Tensor = dy) -> Tensors:
        return torch.autograd.grad(function(*given), given, dy)

    def exact() -> Tensors:
        return both(_usual, tuple(one.detach().float().requires_grad_() for one in given), dy.float())

    return Row(
        "layer_norm",
        f"bf16 {M} × {N}, forward and backward",
        ours=lambda: both(layer_norm),
        peers={name: lambda peer=peer: both(peer) for name, peer in _peers().items()},
        exact=exact,
        usual="eager",
        reads=3 * dy.nbytes,
        writes=2 * dy.nbytes,
        least_ratio=1.0,
        least_roof=least_roof,
    )
