"""Many kernels in one C++ program and in one simulator: building is what takes the time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from lablib.hls.cpp.design import Hardware, Measured, measure
from lablib.hls.cpp_types import Number, Signature
from lablib.hls.csim import csim

_MOST = 20  # csim keeps 32 MB of addresses around each argument, and has 4 GB of them

__all__ = ["arguments", "mismatches", "software"]


def arguments(signature: Signature, calls: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Random arguments by parameter, behind the least, the greatest and zero."""
    rng = np.random.default_rng(seed)
    found = {}
    for each in signature.parameters:
        low, high = _ends(each.number)
        values = rng.integers(low, high, (calls, *each.shape), endpoint=True, dtype=np.int64)
        values[:3] = np.array([low, high, 0]).reshape(3, *[1] * len(each.shape))
        found[each.name] = np.ldexp(values, -each.number.fraction) if each.number.kind == "fixed" else values
    return found


def _ends(number: Number) -> tuple[int, int]:
    if number.signed:
        return -(1 << number.width - 1), (1 << number.width - 1) - 1
    return 0, (1 << min(number.width, 63)) - 1


def software(designs: Sequence[Hardware], given: Sequence[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """What csim gives for each kernel: a program that calls many of them."""
    found = []
    for first in range(0, len(designs), _MOST):
        found += _software(designs[first : first + _MOST], given[first : first + _MOST])
    return found


def _software(designs: Sequence[Hardware], given: Sequence[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    spaces, parameters, calls, values = [], [], [], {}
    for number, (design, one) in enumerate(zip(designs, given, strict=True)):
        text = re.sub(r"^#include.*\n", "", design.source, flags=re.MULTILINE)
        spaces.append(f"namespace k{number} {{\n{text}\n}}\n")
        names = []
        for each in design.signature.parameters:
            name = f"k{number}_{each.name}"
            extents = "".join(f"[{extent}]" for extent in each.shape)
            parameters.append(f"{each.number.spelling} {'' if extents or not each.written else '&'}{name}{extents}")
            names.append(name)
            values[name] = one[each.name]
        call = f"k{number}::{design.top}({', '.join(names)});"
        if design.signature.returned:
            parameters.append(f"{design.signature.returned.spelling} &k{number}_returned")
            call = f"k{number}_returned = {call}"
        calls.append(call)
    head = '#include "ap_int.h"\n#include "ap_fixed.h"\n'
    source = head + "".join(spaces) + f"void all({', '.join(parameters)}) {{\n{' '.join(calls)}\n}}\n"
    kernel = csim(source, "all", seconds=60.0)
    answer = kernel(**values)
    results = kernel.signature.results
    found = dict(zip([each.name for each in results], [answer] if len(results) == 1 else answer, strict=True))
    return [
        {each.name: found[f"k{number}_{each.name}"] for each in design.signature.results}
        for number, design in enumerate(designs)
    ]


def mismatches(designs: Sequence[Hardware], calls: int = 10) -> tuple[list[str], list[Measured]]:
    """One sentence for each kernel whose values or cycles are not those predicted, and what was measured."""
    given = [arguments(design.signature, calls) for design in designs]
    expected = software(designs, given)
    runs = measure([(design, (), one) for design, one in zip(designs, given, strict=True)])
    found = []
    for number, (design, wanted, run) in enumerate(zip(designs, expected, runs, strict=True)):
        found += [f"kernel {number}: {sentence}" for sentence in _differences(design, wanted, run)]
    return found, runs


def _differences(design: Hardware, wanted: dict[str, Any], run: Measured) -> list[str]:
    found = [
        f"{name} is {run.results[name][at].tolist()} and csim has {values[at].tolist()} in call {at}"
        for name, values in wanted.items()
        for at in [int(np.argmax((run.results[name] != values).reshape(len(values), -1).any(axis=1)))]
        if (run.results[name] != values).any()
    ]
    if set(run.cycles.tolist()) != {design.plan.latency}:
        found.append(f"{sorted(set(run.cycles.tolist()))} cycles where {design.plan.latency} were predicted")
    if run.ii != design.intervals:
        found.append(f"II {run.ii} where {design.intervals} was predicted")
    return found
