"""One cell of a master, and the rules that cells obey; each breach is one sentence with file and line."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import AutograderError
from autograder.syllabus import ITEMS, OUTCOMES

ROLES = ("setup", "solution", "test", "manual", "rubric")
PLANS = ("core", "stretch")
PROSE = "prose"
PROSE_TAGS = ("raises-exception",)  # Jupyter's own: "run all" goes on after a demonstration of an error

_CELL_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
_REGIONS = {
    "SOLUTION": ("solution", "manual"),
    "HIDDEN TESTS": ("test",),
}


class MasterError(AutograderError):
    """A master breaks the format; the message names the file, the line and what was expected."""


@dataclass(frozen=True)
class Cell:
    """One cell of a master.

    Attributes
    ----------
    id : str
        The cell's title; empty for prose without one.
    role : str
        "setup", "solution", "test", "manual", "rubric" or "prose".
    kind : str
        "code" or "markdown".
    source : str
    points, hours : float or None
        Set on test and manual cells only: marks, and the time a student is expected to need.
    tags : tuple of str
        The remaining tags: "core" or "stretch" on test and manual cells.
    line : int
        Line of the cell's marker in the master, from 1.
    withhold : tuple of str
        Modules and files of lablib that are absent where answers run in grading; on setup cells only.
    covers : tuple of str
        Items of the syllabus and outcomes, by their keys in `autograder.syllabus`; on test and manual cells only.
    """

    id: str
    role: str
    kind: str
    source: str
    points: float | None = None
    hours: float | None = None
    tags: tuple[str, ...] = ()
    line: int = 0
    withhold: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()


def split_tags(where: str, tags: list[str]) -> tuple[str, tuple[str, ...]]:
    """Separate a cell's role from its other tags."""
    roles = [tag for tag in tags if tag in ROLES]
    if len(roles) > 1:
        raise MasterError(f"{where}: a cell has one role, not {' and '.join(roles)}")
    role = roles[0] if roles else PROSE
    rest = tuple(tag for tag in tags if tag not in ROLES)
    allowed = {"test": PLANS, "manual": PLANS, PROSE: PROSE_TAGS}.get(role, ())
    unknown = [tag for tag in rest if tag not in allowed]
    if unknown:
        known = ", ".join((*ROLES, *PLANS))
        raise MasterError(f"{where}: unknown role or tag {unknown[0]!r} on a {role} cell; the tags are {known}")
    return role, rest


def check_identity(where: str, cell: Cell) -> None:
    """Check that the title can be the id and that the kind suits the role."""
    if cell.kind not in ("code", "markdown"):
        raise MasterError(f"{where}: a cell is code or markdown, not {cell.kind}")
    if cell.role != PROSE and not cell.id:
        raise MasterError(f"{where}: a {cell.role} cell needs a title, which becomes its id")
    if cell.id and cell.kind == "code" and not _CELL_ID.fullmatch(cell.id):
        raise MasterError(
            f"{where}: the title {cell.id!r} cannot be an id; use lower-case letters, digits and underscores"
        )
    if cell.id and cell.kind == "markdown" and not _CELL_ID.fullmatch(cell.id):
        raise MasterError(f"{where}: {cell.id!r} is no cell title; write prose below '# %% [markdown]'")
    kind = "markdown" if cell.role in ("manual", "rubric") else "code"
    if cell.role != PROSE and cell.kind != kind:
        raise MasterError(f"{where}: the {cell.role} cell {cell.id!r} must be {kind}, not {cell.kind}")


def check_plan(where: str, cell: Cell) -> None:
    """Check points, hours and core or stretch: on test and manual cells, and nowhere else."""
    graded = cell.role in ("test", "manual")
    for name, value in (("points", cell.points), ("hours", cell.hours)):
        positive = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
        if graded and not positive:
            raise MasterError(f"{where}: the {cell.role} cell {cell.id!r} needs {name}=, a number above 0")
        if not graded and value is not None:
            raise MasterError(f"{where}: {name}= belongs on a test or manual cell, not on a {cell.role} cell")
    if graded and len(cell.tags) != 1:
        raise MasterError(f'{where}: the {cell.role} cell {cell.id!r} needs one of the tags "core" and "stretch"')


def check_withhold(where: str, cell: Cell) -> None:
    """Check that what is withheld is a list of names, on a setup cell."""
    if cell.withhold and cell.role != "setup":
        raise MasterError(f"{where}: withhold= belongs on a setup cell, not on a {cell.role} cell")
    for name in cell.withhold:
        if not isinstance(name, str):
            raise MasterError(f'{where}: withhold= is a list of names such as ["lablib.models.gpt"], not of {name!r}')


def check_covers(where: str, cell: Cell) -> None:
    """Check that what is covered is of the syllabus or an outcome, on a test or manual cell."""
    if cell.covers and cell.role not in ("test", "manual"):
        raise MasterError(f"{where}: covers= belongs on a test or manual cell, not on a {cell.role} cell")
    unknown = [key for key in cell.covers if key not in (*ITEMS, *OUTCOMES)]
    if unknown:
        known = ", ".join((*ITEMS, *OUTCOMES))
        raise MasterError(f"{where}: covers= names {unknown[0]!r}, which is not in autograder/syllabus.py: {known}")


def check_source(where: str, cell: Cell) -> None:
    """Check the region markers, and that what runs in grading is plain Python."""
    if not cell.source.strip():
        raise MasterError(f"{where}: the cell is empty")
    for region, roles in _REGIONS.items():
        marks = re.findall(rf"^\s*### (BEGIN|END) {region}\s*$", cell.source, re.MULTILINE)
        if marks != ["BEGIN", "END"] * (len(marks) // 2):
            raise MasterError(f"{where}: '### BEGIN {region}' and '### END {region}' must come in pairs")
        if len(marks) // 2 != cell.source.count(f"BEGIN {region}"):
            raise MasterError(f"{where}: write the marker '### BEGIN {region}' on a line of its own")
        if marks and cell.role not in roles:
            raise MasterError(f"{where}: a {region} region cannot stand in a {cell.role} cell")
    if cell.role == "solution" and "BEGIN SOLUTION" not in cell.source:
        raise MasterError(f"{where}: the solution cell {cell.id!r} marks no '### BEGIN SOLUTION' region")
    if cell.role in ("setup", "solution", "test"):
        try:
            ast.parse(cell.source)
        except SyntaxError:
            raise MasterError(f"{where}: the {cell.role} cell {cell.id!r} must be plain Python, no magics") from None


def check_cells(path: Path, cells: tuple[Cell, ...]) -> None:
    """Check what holds between cells: unique ids, and a partner for each cell that needs one."""
    ids = Counter(cell.id for cell in cells if cell.id)
    for cell in cells:
        where = f"{path}:{cell.line}"
        if ids[cell.id] > 1:
            raise MasterError(f"{where}: the title {cell.id!r} is used {ids[cell.id]} times; titles are ids")
        partner, needed = _partner(cell)
        if partner and not any(other.id == partner and other.role == needed for other in cells):
            raise MasterError(f"{where}: the {cell.role} cell {cell.id!r} needs a {needed} cell titled {partner!r}")
    if not any(cell.role == "setup" for cell in cells):
        raise MasterError(f'{path}:1: a master needs a setup cell: # %% setup tags=["setup"]')


def _partner(cell: Cell) -> tuple[str, str]:
    """The id and role of the cell without which `cell` makes no sense."""
    if cell.role == "solution":
        return f"test_{cell.id}", "test"
    if cell.role == "test":
        return cell.id.removeprefix("test_"), "solution"
    if cell.role == "manual":
        return f"rubric_{cell.id}", "rubric"
    if cell.role == "rubric":
        return cell.id.removeprefix("rubric_"), "manual"
    return "", ""
