"""The texts of a design: files of Verilog and HLS C++ beside this one, with the sizes and weights of one design."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from lablib.hls.bits import bits_for
from lablib.hls.csim import csim

__all__ = ["cpp_text", "memory_text", "software_of", "verilog_text"]

_HERE = Path(__file__).parent


def verilog_text(name: str, parameters: Mapping[str, int | str]) -> str:
    """``<name>.v`` with other defaults of the parameters of its first module, which is the top.

    Parameters
    ----------
    name
        Stem of the file.
    parameters
        Numbers by name, or Verilog's spelling of them: ``"16'h01ff"``.

    Examples
    --------
    >>> "parameter N = 5" in verilog_text("mac", {"N": 5})
    True
    """
    text = (_HERE / f"{name}.v").read_text()
    for parameter, value in parameters.items():
        text, found = re.subn(rf"(\bparameter\b[^,()=]*\b{parameter} = )[-\w']+", rf"\g<1>{value}", text, count=1)
        if not found:
            raise ValueError(f"{name}.v declares no parameter {parameter}")
    return text


def cpp_text(name: str, constants: Mapping[str, int | np.ndarray]) -> str:
    """``<name>.cpp`` with these constants in the place of its ``#include "parameters.h"``.

    A number becomes an ``int``, an array a constant array of the narrowest ``ap_int`` that holds it.
    """
    lines = "\n".join(_constant(constant, value) for constant, value in constants.items())
    return (_HERE / f"{name}.cpp").read_text().replace('#include "parameters.h"', lines)


def _constant(name: str, value: int | np.ndarray) -> str:
    if not isinstance(value, np.ndarray):
        return f"const int {name} = {value};"
    kind = bits_for(int(value.min()), int(value.max()))
    shape = "".join(f"[{size}]" for size in value.shape)
    numbers = repr(value.tolist()).replace("[", "{").replace("]", "}").replace("}, {", "},\n  {")
    return f"const ap_int<{kind.bits}> {name}{shape} = {numbers};"


def software_of(source: str, top: str) -> Callable[..., np.ndarray]:
    """HLS C++ as a function of arrays, compiled at its first call."""
    return lambda *arrays: csim(source, top)(*arrays)


def memory_text(values: Iterable[int], bits: int) -> str:
    """What ``$readmemh`` reads: a number a line, in two's complement.

    Examples
    --------
    >>> memory_text([1, -1], 8)
    '01\\nff\\n'
    """
    return "\n".join(f"{int(value) & (1 << bits) - 1:0{-(-bits // 4)}x}" for value in values) + "\n"
