"""Time a function on the GPU, and the roofs to hold it against.

Times are medians of many runs with a cold L2. They are shown in labs and never graded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from lablib import device

__all__ = ["measured_roofs", "median_seconds"]


def median_seconds(function: Callable[..., Any], *args: Any, repeat_ms: int = 100) -> float:
    """Median time of ``function(*args)`` on the GPU, in seconds.

    Raises
    ------
    RuntimeError
        Without a GPU: the interpreter's time says nothing about a kernel.
    """
    if device.INTERPRETED:
        raise RuntimeError("A kernel can be timed on a GPU only; this machine runs it in the interpreter.")
    from triton.testing import do_bench

    milliseconds: Any = do_bench(lambda: function(*args), warmup=25, rep=repeat_ms, return_mode="median")
    return milliseconds * 1e-3


def measured_roofs(elements: int = 2**29, size: int = 8192) -> dict[str, float]:
    """What this GPU reaches with library code: copy bandwidth and float16 matrix rate.

    By default it takes a little more than 2 GiB of the GPU's memory: source and target of the copy.

    Parameters
    ----------
    elements
        float16 elements copied, an even number; bytes read and written are both counted.
    size
        The matrix product is ``size`` cubed.

    Returns
    -------
    dict
        ``bytes_per_s`` and ``flops_per_s``.

    Raises
    ------
    RuntimeError
        Without a GPU, as `median_seconds`.
    """
    source = torch.randn(elements // 2, device=device.DEVICE).view(torch.float16)
    target = torch.empty_like(source)
    copied = 2 * source.nbytes / median_seconds(target.copy_, source)
    del source, target
    a = torch.randn(size, size, device=device.DEVICE, dtype=torch.float16)
    b = torch.randn(size, size, device=device.DEVICE, dtype=torch.float16)
    return {"bytes_per_s": copied, "flops_per_s": 2 * size**3 / median_seconds(torch.mm, a, b)}
