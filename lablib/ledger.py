"""Figures that go from lab to lab: each lab records what it measured, and the capstone reads them all.

They are kept in ``ledger.json`` beside the labs' folders. It is the student's own file: git and updates leave it alone,
and grading never reads it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

from lablib import beside

__all__ = ["figures", "record"]

FILE = "ledger.json"
_WORD = re.compile(r"[a-z][a-z0-9_]*")

Figure = float | int


def record(lab: str, figures: Mapping[str, Figure | Callable[[], Figure]]) -> None:
    """Keep a lab's figures, and say which; figures of earlier calls stay unless they have the same name.

    Parameters
    ----------
    lab
        The lab's name, such as ``"lab09_quantisation"``.
    figures
        Values by name: a word in snake_case that ends in what is counted, such as ``vision_flops_kept``. A function is
        asked for its value; one that needs something which the notebook has not computed yet is left out.

    Raises
    ------
    ValueError
        When a name is no such word, a value no finite number, or the file is broken; then nothing is written.

    Examples
    --------
    >>> import contextlib, tempfile
    >>> with contextlib.chdir(tempfile.mkdtemp()):
    ...     record("lab09_quantisation", {"gpt_bits": 3, "vision_right": lambda: not_computed_yet})
    Recorded of lab09_quantisation: gpt_bits = 3. Still open: vision_right.
    """
    if not isinstance(lab, str) or not beside.LAB.fullmatch(lab):
        raise ValueError(f'ledger.record expects a lab\'s name such as "lab09_quantisation", but got {lab!r}.')
    for name in figures:
        if not isinstance(name, str) or not _WORD.fullmatch(name):
            raise ValueError(f'A figure\'s name is a word such as "vision_flops_kept", and {name!r} is none.')
    values = {name: _value(name, given) for name, given in figures.items()}
    known = {name: value for name, value in values.items() if value is not None}
    missing = ", ".join(name for name in values if name not in known)
    if known:
        beside.update(beside.place(FILE), lambda ledger: ledger.setdefault(lab, {}).update(known))
    shown = ", ".join(f"{name} = {value:.6g}" for name, value in known.items()) or "nothing"
    print(f"Recorded of {lab}: {shown}." + (f" Still open: {missing}." if missing else ""))


def figures() -> dict[str, dict[str, Figure]]:
    """Every figure that was recorded, by lab and by name; empty when none was.

    Raises
    ------
    ValueError
        When the file is broken.

    Examples
    --------
    >>> import contextlib, tempfile
    >>> with contextlib.chdir(tempfile.mkdtemp()):
    ...     figures()
    {}
    """
    path = beside.place(FILE)
    ledger = beside.read(path)
    for lab, entries in ledger.items():
        for name, value in entries.items():
            if not _finite(value):
                raise ValueError(f"{path} has {name} = {value!r} for {lab}, which is no finite number: mend that line.")
    return ledger


def _value(name: str, given: Figure | Callable[[], Figure]) -> Figure | None:
    """The number that is meant; None when an exercise that it needs is not solved yet."""
    try:
        value = given() if callable(given) else given
    except (NameError, KeyError, NotImplementedError):
        return None
    if not _finite(value):
        raise ValueError(f"The figure {name} is to be a finite number, and is {value!r}. Of a tensor, take .item().")
    return int(value) if isinstance(value, Integral) else float(value)


def _finite(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
