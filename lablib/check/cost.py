"""Assert what a computation costs: floating-point operations, and the memory that it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lablib.check.observe import observe

__all__ = ["Bounds", "cost"]

Bounds = int | tuple[int, int]
"""An exact number, or the least and the most allowed."""


def cost(
    function: Callable[..., Any],
    *args: Any,
    flops: Bounds | None = None,
    allocated: Bounds | None = None,
    peak: Bounds | None = None,
    **kwargs: Any,
) -> Any:
    """Run ``function(*args, **kwargs)``, assert its cost, and return its result.

    Give a lower bound too: a function that does nothing costs nothing.

    Parameters
    ----------
    flops
        Floating-point operations of matrix products, convolutions and attention; a multiplication and an addition are
        two.
    allocated
        Bytes that torch allocates, all together; 0 for a view.
    peak
        The most bytes that have to be held at once, arguments not counted.

    Raises
    ------
    AssertionError
        With what was expected, what came, and the operations.

    Examples
    --------
    >>> import torch
    >>> x, w = torch.ones(2, 3), torch.ones(4, 3)
    >>> y = cost(lambda x, w: x @ w.T, x, w, flops=2 * 2 * 3 * 4, peak=2 * 4 * 4)
    """
    name = getattr(function, "__name__", "the function")
    seen = observe(function, *args, **kwargs)
    for got, bounds, what in (
        (seen.flops, flops, "does {} floating-point operations in matrix products"),
        (seen.allocated_bytes, allocated, "allocates {} bytes"),
        (seen.peak_bytes, peak, "has to hold {} bytes at once"),
    ):
        if bounds is None:
            continue
        least, most = (bounds, bounds) if isinstance(bounds, int) else bounds
        if not least <= got <= most:
            expected = f"{least:,}" if least == most else f"{least:,} to {most:,}"
            operations = ", ".join(seen.torch_ops[:12]) or "none"
            raise AssertionError(
                f"{name} {what.format(f'{got:,}')}, expected {expected}. Its operations: {operations}."
            )
    return seen.value
