"""How far a kernel's result is from the exact one, as a whole and in its worst tile.

One wrong tile of 32 × 32 hides in the mean over a large matrix, and a wide absolute tolerance hides everything. So
errors are relative root mean squares, of the whole result and of each tile, and a kernel is also held against what
torch's own operation loses in the same dtype.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch.utils._pytree import tree_leaves

__all__ = ["BOUND", "relative_error", "require_accurate", "worst_tile_error"]

BOUND = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}
"""The largest relative error of a correct result, by its dtype."""

TILE = 32
_TILE_SLACK = 4.0  # a tile of 1024 elements scatters more than the whole
_SMALL = 1e-2  # of the whole result's scale: a tile below it is held against this


def relative_error(actual: torch.Tensor, exact: torch.Tensor) -> float:
    """``‖actual - exact‖ / ‖exact‖``; infinite where only one of them is NaN or infinite."""
    difference, exact = _difference(actual, exact)
    scale = exact.square().mean().sqrt()
    return float(difference.square().mean().sqrt() / scale) if scale else float(difference.abs().max())


def worst_tile_error(actual: torch.Tensor, exact: torch.Tensor) -> float:
    """The largest relative error of a tile of 32 × 32 along the last two axes.

    A tile of small numbers is held against a hundredth of the whole result's scale: what cancels out in it does not
    cancel out in its rounding.
    """
    difference, exact = _difference(actual, exact)
    scale = exact.square().mean().sqrt()
    wrong, size = (_tile_means(x.square()).sqrt() for x in (difference, exact))
    return float((wrong / size.clamp(min=float(_SMALL * scale) or 1.0)).max())


def require_accurate(actual: Any, exact: Any, usual: Any = None, name: str = "the result", ulps: float = 2.0) -> None:
    """Assert that a kernel's result is as good as its dtype allows.

    Parameters
    ----------
    actual
        A tensor, or a nest of them.
    exact
        The same in float64 or float32, from a plain computation.
    usual
        What torch's own operation gives in the dtype of ``actual``; ours may be off by twice its error.
    name
        What the message calls the result.
    ulps
        Units in the last place that always pass where there is a ``usual``: it may be exact by chance.

    Raises
    ------
    AssertionError
        With the error and the bound that it passed.
    """
    results, oracles = tree_leaves(actual), tree_leaves(exact)
    peers = tree_leaves(usual) if usual is not None else [None] * len(results)
    if not len(results) == len(oracles) == len(peers):
        raise AssertionError(f"{name}: {len(results)} tensors, expected {len(oracles)}.")
    for index, (ours, oracle, peer) in enumerate(zip(results, oracles, peers, strict=True)):
        _require(ours, oracle, peer, name if len(results) == 1 else f"{name}, tensor {index}", ulps)


def _require(actual: torch.Tensor, exact: torch.Tensor, usual: torch.Tensor | None, name: str, ulps: float) -> None:
    if actual.shape != exact.shape:
        raise AssertionError(f"{name} has shape {tuple(actual.shape)}, expected {tuple(exact.shape)}.")
    if not actual.is_floating_point():
        if not torch.equal(actual, exact.to(actual.dtype)):
            raise AssertionError(f"{name} differs in {int((actual != exact).sum())} of {actual.numel()} integers.")
        return
    bound = BOUND[actual.dtype]
    error, tile = relative_error(actual, exact), worst_tile_error(actual, exact)
    if not error <= bound:
        raise AssertionError(f"{name}: relative error {error:.1e}, expected at most {bound:.1e} in {actual.dtype}.")
    if not tile <= _TILE_SLACK * bound:
        raise AssertionError(
            f"{name}: one tile of {TILE} × {TILE} has relative error {tile:.1e}, expected at most "
            f"{_TILE_SLACK * bound:.1e}; the whole has {error:.1e}."
        )
    if usual is not None:
        allowed = max(2 * relative_error(usual, exact), ulps * torch.finfo(actual.dtype).eps)
        if not error <= allowed:
            raise AssertionError(f"{name}: relative error {error:.1e}, torch's own allows {allowed:.1e}.")


def _difference(actual: torch.Tensor, exact: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What is wrong and what is right, in float64, zero where both are the same infinity or both NaN."""
    got, want = actual.detach().double(), exact.detach().double()
    same = (got == want) | (got.isnan() & want.isnan())
    difference = torch.where(same, 0.0, got - want).nan_to_num(nan=torch.inf, posinf=torch.inf, neginf=torch.inf)
    return difference, torch.where(want.isfinite(), want, 0.0)


def _tile_means(x: torch.Tensor) -> torch.Tensor:
    plane = x.reshape(-1, 1, x.shape[-2] if x.dim() > 1 else 1, x.shape[-1] if x.dim() else 1)
    return F.avg_pool2d(plane, TILE, ceil_mode=True)
