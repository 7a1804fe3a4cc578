"""Rows of a CSV, written so that a spreadsheet shows text and evaluates none of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from autograder import files
from autograder.reports.text import inert

Row = list[str | float | None]


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write a CSV in UTF-8: text on one line, numbers to two decimals, None as nothing."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([_field(value) for value in row] for row in rows)
    files.write(path, text.getvalue())


def _field(value: str | float | None) -> str:
    if value is None:
        return ""
    return inert(value) if isinstance(value, str) else format_points(value)


def format_points(value: float) -> str:
    """Write points with the decimals they need, two at most.

    Examples
    --------
    >>> format_points(10.0), format_points(7.5), format_points(10 / 3)
    ('10', '7.5', '3.33')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")
