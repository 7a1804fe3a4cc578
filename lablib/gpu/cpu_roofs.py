"""Probes of this machine's CPU, from which its roofs can be read: products that compute, copies that move.

A copy of a small array stays in a cache and says nothing of memory, so copies of growing size are timed; which of them
tell of memory depends on the size of the last cache. Times are the best of a few, since others may use the machine.
Times are shown in labs and never graded.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

__all__ = ["best_seconds", "cache_sizes", "probes"]

_CPU = Path("/sys/devices/system/cpu/cpu0/cache")
_LARGEST = 2**30  # bytes of the largest copy, source and target together


def cache_sizes(folder: Path = _CPU) -> dict[str, int]:
    """Bytes of this machine's data caches by level, such as ``{"L1": 49152, "L2": 2097152}``, as far as known.

    Examples
    --------
    >>> all(size > 0 for size in cache_sizes().values())
    True
    """
    found = {}
    for index in sorted(folder.glob("index*")):
        size = re.fullmatch(r"([1-9]\d*)([KMG]?)", _said(index / "size"))
        if _said(index / "type") in ("Data", "Unified") and _said(index / "level").isdecimal() and size:
            found[f"L{_said(index / 'level')}"] = int(size[1]) * 1024 ** " KMG".index(size[2] or " ")
    return found


def _said(path: Path) -> str:
    """What a file of the kernel says; nothing if it is not there."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def best_seconds(function: Callable[[], Any], least: float = 0.02, repeats: int = 3) -> float:
    """Seconds of a call, the best of a few repeats that last ``least`` seconds each.

    Examples
    --------
    >>> 0 < best_seconds(lambda: sum(range(100)), least=1e-4) < 1
    True
    """
    start = time.perf_counter()
    function()
    calls = max(1, round(least / max(time.perf_counter() - start, 1e-9)))
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(calls):
            function()
        best = min(best, (time.perf_counter() - start) / calls)
    return best


def probes(largest: int = _LARGEST) -> list[dict[str, Any]]:
    """Time float32 products of growing size, and copies of up to ``largest`` bytes, on the threads that torch uses.

    Takes about 3 s on two idle cores, and ``largest`` bytes of memory.

    Returns
    -------
    list of dict
        ``name``, ``flops``, ``bytes`` (moved, at least), ``working_set`` (bytes that it touches), ``seconds``.
    """
    found = []
    for size in (64, 256, 1024):
        a, b, c = (torch.ones(size, size) for _ in range(3))
        seconds = best_seconds(lambda a=a, b=b, c=c: torch.mm(a, b, out=c))
        found.append(_probe(f"product of {size}", 2 * size**3, 3 * a.nbytes, 3 * a.nbytes, seconds))
    size = 2**15
    while size <= largest:
        source, target = torch.ones(size // 8), torch.empty(size // 8)
        seconds = best_seconds(lambda s=source, t=target: t.copy_(s))
        found.append(_probe(f"copy in {_named(size)}", 0, size, size, seconds))
        size *= 8
    return found


def _probe(name: str, flops: int, moved: int, working_set: int, seconds: float) -> dict[str, Any]:
    return {"name": name, "flops": flops, "bytes": moved, "working_set": working_set, "seconds": seconds}


def _named(size: int) -> str:
    return f"{size >> 20} MiB" if size >> 20 else f"{size >> 10} KiB"
