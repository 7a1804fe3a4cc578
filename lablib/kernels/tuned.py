"""Launch configurations that were measured once and written down, and a way to measure them again.

A kernel's best tile depends on the GPU, the compiler and the shape. A table keeps what a search found; with
``LABLIB_AUTOTUNE=1`` in the environment the search is made here instead, once for each case in a process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch

from lablib import device

import triton  # isort: skip  (after lablib.device, which sets TRITON_INTERPRET)

__all__ = ["Configuration", "Tuned"]

Configuration = Mapping[str, int]
"""Block sizes, ``num_warps`` and ``num_stages`` of a launch, by name."""


@dataclass(frozen=True)
class Tuned:
    """Configurations of one kernel.

    Attributes
    ----------
    table
        By GPU and Triton version, ``("sm_90", "3.6")``, then by case: the configuration that won there.
    candidates
        What a search tries.

    Examples
    --------
    >>> rows = Tuned({("sm_90", "3.6"): {"short": {"num_warps": 1}, "long": {"num_warps": 8}}})
    >>> rows.configuration("long")["num_warps"]
    8
    """

    table: Mapping[tuple[str, str], Mapping[Hashable, Configuration]]
    candidates: tuple[Configuration, ...] = ()
    _found: dict[Hashable, Configuration] = field(default_factory=dict, repr=False, compare=False)

    def configuration(self, case: Hashable, launch: Callable[[Configuration], Any] | None = None) -> Configuration:
        """The configuration for ``case``: from the table, or the fastest candidate where a search is wanted.

        Parameters
        ----------
        case
            What the best configuration depends on; a key of the table.
        launch
            Launches the kernel with a configuration.
        """
        if launch is None or not self.candidates or device.INTERPRETED or not _search_wanted():
            return self._written()[case]
        if case not in self._found:
            self._found[case] = min(self.candidates, key=lambda candidate: _milliseconds(launch, candidate))
        return self._found[case]

    def up_to(self, size: int, launch: Callable[[Configuration], Any] | None = None) -> Configuration:
        """The same where cases are sizes: the configuration of the smallest one that is no less than ``size``.

        Examples
        --------
        >>> Tuned({("sm_90", "3.6"): {512: {"num_warps": 1}, 8192: {"num_warps": 8}}}).up_to(600)
        {'num_warps': 8}
        """
        case = min(case for case in self._written() if isinstance(case, int) and case >= size)
        return self.configuration(case, launch)

    def _written(self) -> Mapping[Hashable, Configuration]:
        """The part of the table that fits this machine best: its GPU and Triton, its GPU, or the first."""
        gpu, version = _gpu(), ".".join(triton.__version__.split(".")[:2])
        same_gpu = [key for key in self.table if key[0] == gpu]
        key = (gpu, version) if (gpu, version) in self.table else (*same_gpu, *self.table)[0]
        return self.table[key]


def _search_wanted() -> bool:
    return os.environ.get("LABLIB_AUTOTUNE", "0") == "1"


@cache
def _gpu() -> str:
    if device.INTERPRETED:
        return "interpreter"
    major, minor = torch.cuda.get_device_capability()
    return f"sm_{major}{minor}"


def _milliseconds(launch: Callable[[Configuration], Any], candidate: Configuration) -> float:
    from triton.runtime.errors import OutOfResources
    from triton.testing import do_bench

    try:
        return float(do_bench(lambda: launch(candidate), warmup=10, rep=50, return_mode="median"))  # pyright: ignore
    except OutOfResources:
        return float("inf")
