"""Small designs to measure: generators of readable Verilog, each with the numpy function that it has to equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Design"]


@dataclass(frozen=True)
class Design:
    """Verilog with what is known of it.

    Attributes
    ----------
    top, verilog, files
        What `lablib.hls.rtlsim`, `synth` and `place` take.
    golden
        The function that it computes, on integer arrays.
    cycles
        Cycles from the first input to the last result, for a number of inputs to ``golden``.
    """

    top: str
    verilog: str
    golden: Callable[..., np.ndarray]
    cycles: Callable[[int], int]
    files: Mapping[str, str] = field(default_factory=dict)
