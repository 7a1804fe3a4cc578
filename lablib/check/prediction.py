"""Predictions that are written down before the measurement.

A wrong prediction teaches more than a right measurement, if it was made first. `lock` keeps the first one in a file
beside the notebook; a later call returns it, and says so when the value has moved since.
"""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["lock"]

FILE = "predictions.json"


def lock(name: str, value: float, folder: Path | str = ".") -> float:
    """Write a prediction down; the first one stays.

    Parameters
    ----------
    name
        What is predicted.
    value
        A finite number.
    folder
        Where ``predictions.json`` is kept; by default beside the notebook.

    Returns
    -------
    float
        The prediction that was locked first. Delete its line in ``predictions.json`` to start over.

    Raises
    ------
    ValueError
        If ``value`` is not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or abs(value) == float("inf"):
        raise ValueError(
            f"The prediction {name!r} must be a finite number; it is {value!r}. Predict first, then measure."
        )
    path = Path(folder) / FILE
    locked = json.loads(path.read_text()) if path.is_file() else {}
    if name not in locked:
        locked[name] = value
        path.write_text(json.dumps(locked, indent=2) + "\n")
        print(f"Locked: {name} = {value:g}.")
    elif locked[name] != value:
        print(f"You locked {name} = {locked[name]:g} first; {value:g} is what you think now. Explain both.")
    return float(locked[name])
