"""Plausible mistakes: each replaces one solution cell and must lose the points of that cell's tests.

A wrong answer is a file in the lab's ``wrong/`` folder, named ``<cell>__<mistake>``:

- ``.py``: the whole cell, for an answer of another kind;
- ``.diff``: what differs from the solution. A first line that says what the mistake is, then hunks as in a unified
  diff, without line numbers: each starts with ``@@``, and its lines with ``-``, ``+`` or a space. A hunk's old lines
  must stand in the solution exactly once.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autograder.master_cells import Cell, MasterError

_MARKERS = ("### BEGIN SOLUTION", "### END SOLUTION")


@dataclass(frozen=True)
class WrongAnswer:
    """A plausible mistake: ``source`` replaces the solution cell ``cell``."""

    cell: str
    mistake: str
    source: str
    path: Path


def load_wrong_answers(folder: Path, solutions: Iterable[Cell]) -> tuple[WrongAnswer, ...]:
    """Read the wrong answers in ``folder``, by file name.

    Raises
    ------
    MasterError
        A file is named after no solution cell, is no Python, or a hunk does not fit the solution.
    """
    cells = {cell.id: cell for cell in solutions}
    files = sorted(path for path in folder.glob("*") if path.suffix in (".py", ".diff"))
    return tuple(_load(file, cells) for file in files)


def _load(file: Path, cells: dict[str, Cell]) -> WrongAnswer:
    cell, _, mistake = file.stem.partition("__")
    if cell not in cells or not mistake:
        raise MasterError(
            f"{file}:1: name a wrong answer <solution cell>__<mistake>.py or .diff; {cell!r} is no such cell"
        )
    source = file.read_text(encoding="utf-8")
    if file.suffix == ".diff":
        source = _apply(file, source, cells[cell].source)
    try:
        ast.parse(source)
    except SyntaxError as error:
        raise MasterError(f"{file}:{error.lineno}: not valid Python: {error.msg}") from None
    return WrongAnswer(cell, mistake, source.rstrip("\n"), file)


def without_markers(source: str) -> str:
    """A solution cell's source without the lines that mark the solution."""
    return "\n".join(line for line in source.splitlines() if line.strip() not in _MARKERS) + "\n"


def _apply(file: Path, diff: str, solution: str) -> str:
    text = without_markers(solution)
    for number, old, new in _hunks(file, diff):
        found = ("\n" + text).count("\n" + old)
        if found != 1:
            raise MasterError(
                f"{file}:{number}: the old lines of this hunk stand {found} times in the solution, expected once"
            )
        text = ("\n" + text).replace("\n" + old, "\n" + new)[1:]
    return text


def _hunks(file: Path, diff: str) -> list[tuple[int, str, str]]:
    """Line, old text and new text of each hunk."""
    hunks: list[tuple[int, str, str]] = []
    for number, line in enumerate(diff.splitlines(), 1):
        if line.startswith("@@"):
            hunks.append((number, "", ""))
        elif hunks:
            start, old, new = hunks[-1]
            kind, rest = line[:1] or " ", line[1:] + "\n"
            if kind not in "-+ ":
                raise MasterError(f"{file}:{number}: a line of a hunk starts with -, + or a space, not {kind!r}")
            hunks[-1] = (start, old + rest * (kind != "+"), new + rest * (kind != "-"))
    if not hunks or not all(old for _, old, _ in hunks):
        raise MasterError(f"{file}:1: a .diff needs hunks that start with @@ and have lines of the solution")
    return hunks
