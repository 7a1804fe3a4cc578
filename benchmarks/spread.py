"""How repeated runs are summed up in a result."""

from __future__ import annotations

import statistics
from typing import Any


def summary(values: list[float]) -> dict[str, Any]:
    """Mean, standard deviation, extremes, and every run.

    Examples
    --------
    >>> summary([0.5, 1.5])["mean"]
    1.0
    """
    return {
        "mean": statistics.mean(values), "standard_deviation": statistics.stdev(values),
        "least": min(values), "most": max(values), "runs": values,
    }  # fmt: skip
