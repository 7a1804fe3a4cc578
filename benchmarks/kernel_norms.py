"""Rows of a normalisation: forward, forward and backward, and a small case in a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from benchmarks.kernel_row import Row

__all__ = ["Norm", "norm_rows"]

Tensors = tuple[torch.Tensor, ...]
Function = Callable[..., torch.Tensor]


@dataclass(frozen=True)
class Norm:
    """A normalisation over rows, by us and by others.

    Attributes
    ----------
    kernel : str
        Its name.
    ours, usual : callable
        Take x, shape (M, N), and the parameters.
    liger : callable, optional
        The same by Liger, None where it is not installed.
    parameters : int
        How many vectors of N elements it takes.
    least_roof : float
        The forward pass's target.
    cause : str
        Why a target is missed.
    """

    kernel: str
    ours: Function
    usual: Function
    liger: Function | None
    parameters: int
    least_roof: float
    cause: str

    def peers(self) -> dict[str, Function]:
        """The others, by name."""
        peers = {"eager": self.usual, "torch.compile": torch.compile(self.usual, dynamic=False)}
        return peers | ({"Liger": self.liger} if self.liger else {})

    def draw(self, M: int, N: int, gradients: bool = False) -> Tensors:
        """Random x and parameters in bfloat16."""
        x = torch.randn(M, N, device="cuda", dtype=torch.bfloat16)
        parameters = torch.randn(self.parameters, N, device="cuda", dtype=torch.bfloat16)
        return tuple(one.detach().requires_grad_(gradients) for one in (x, *parameters))


def norm_rows(norm: Norm) -> Iterator[Row]:
    """The rows of one normalisation."""
    yield _forward(norm, 16384, 8192, norm.least_roof)
    yield _with_backward(norm, 16384, 8192, 0.80)
    yield _forward(norm, 256, 768, None)


def _forward(norm: Norm, M: int, N: int, least_roof: float | None) -> Row:
    given = norm.draw(M, N)
    small = least_roof is None
    return Row(
        norm.kernel,
        f"bf16 {M} × {N}",
        ours=lambda: norm.ours(*given),
        peers={name: lambda peer=peer: peer(*given) for name, peer in norm.peers().items()},
        exact=lambda: norm.usual(*(one.float() for one in given)),
        usual="eager",
        reads=given[0].nbytes,
        writes=given[0].nbytes,
        least_ratio=1 / 1.1 if small else None,
        least_roof=least_roof,
        graph=small,
        cause=norm.cause,
    )


def _with_backward(norm: Norm, M: int, N: int, least_roof: float) -> Row:
    given = norm.draw(M, N, gradients=True)
    dy = torch.randn(M, N, device="cuda", dtype=torch.bfloat16)

    def both(function: Function, given: Tensors = given, dy: torch.Tensor = dy) -> Tensors:
        return torch.autograd.grad(function(*given), given, dy)

    def exact() -> Tensors:
        return both(norm.usual, tuple(one.detach().float().requires_grad_() for one in given), dy.float())

    return Row(
        norm.kernel,
        f"bf16 {M} × {N}, forward and backward",
        ours=lambda: both(norm.ours),
        peers={name: lambda peer=peer: both(peer) for name, peer in norm.peers().items()},
        exact=exact,
        usual="eager",
        reads=3 * dy.nbytes,
        writes=2 * dy.nbytes,
        least_ratio=1.0,
        least_roof=least_roof,
    )
