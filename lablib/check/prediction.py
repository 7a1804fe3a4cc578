"""Predictions that are written down before the measurement.

A wrong prediction teaches more than a right measurement, if it was made first. `lock` keeps the first one in a file
beside the notebook; a later call returns it, and says so when the value has moved since.
"""

from __future__ import annotations

import sys
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from lablib import beside

__all__ = ["lock"]

FILE = "predictions.json"


def lock(name: str, value: float, folder: Path | str = ".") -> float:
    """Write a prediction down; the first one stays.

    Parameters
    ----------
    name
        What is predicted.
    value
        A finite number, also one of numpy's.
    folder
        Where ``predictions.json`` is kept; by default beside the notebook.

    Returns
    -------
    float
        The prediction that was locked first. Delete ``predictions.json`` to start over.

    Raises
    ------
    ValueError
        If ``value`` is not a finite number, or the file is broken; then nothing is written.
    """
    number = _plain(value)
    if not _fits(number):
        raise ValueError(
            f"The prediction {name!r} must be a finite number; it is {value!r}. Predict first, then measure."
        )
    path, form = Path(folder) / FILE, (_fits, "a number for each prediction")
    new = name not in beside.read(path, *form)
    if new:
        beside.update(path, lambda locked: locked.setdefault(name, number), *form)
    first = beside.read(path, *form)[name]
    if first != number:
        print(f"You locked {name} = {first:g} first; {number:g} is what you think now. Explain both.")
    elif new:
        print(f"Locked: {name} = {number:g}.")
    return float(first)


def _plain(value: Any) -> Any:
    """Numbers of numpy and the like as Python's own, which JSON can hold."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def _fits(value: Any) -> bool:
    """Whether it is a finite number, and no larger than a float can be."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
