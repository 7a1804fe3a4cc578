"""Read a master: the one percent file from which everything of a lab is made."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass, field
from pathlib import Path

import jupytext

from autograder import master_cells
from autograder.master_cells import Cell, MasterError
from autograder.wrong_answers import WrongAnswer, load_wrong_answers

LAB_FOLDERS = "lab[0-9][0-9]_*"

_MARKER = re.compile(r"# ?%%(\s|$)")


@dataclass(frozen=True)
class Lab:
    """A lab as its master states it.

    Examples
    --------
    >>> lab = load("solutions/_template/labNN_slug.py")
    >>> [cell.id for cell in lab.test_cells]
    ['test_running_mean']
    """

    name: str
    path: Path
    cells: tuple[Cell, ...]
    wrong_answers: tuple[WrongAnswer, ...] = field(default=())

    def of_role(self, *roles: str) -> list[Cell]:
        return [cell for cell in self.cells if cell.role in roles]

    @property
    def setup_cells(self) -> list[Cell]:
        return self.of_role("setup")

    @property
    def solution_cells(self) -> list[Cell]:
        return self.of_role("solution")

    @property
    def test_cells(self) -> list[Cell]:
        return self.of_role("test")

    @property
    def manual_cells(self) -> list[Cell]:
        return self.of_role("manual")

    @property
    def rubric_cells(self) -> list[Cell]:
        return self.of_role("rubric")

    @property
    def graded_cells(self) -> list[Cell]:
        """The exercises' marks: test and manual cells, in order."""
        return self.of_role("test", "manual")

    @property
    def points(self) -> float:
        return sum(cell.points or 0.0 for cell in self.graded_cells)

    @property
    def test_points(self) -> float:
        """The part of the points that tests give."""
        return sum(cell.points or 0.0 for cell in self.test_cells)

    @property
    def withheld(self) -> tuple[str, ...]:
        """Modules and files of lablib that are absent where answers run in grading."""
        return tuple(dict.fromkeys(name for cell in self.setup_cells for name in cell.withhold))

    def cell(self, cell_id: str) -> Cell:
        for cell in self.cells:
            if cell.id == cell_id:
                return cell
        raise KeyError(f"{self.name} has no cell {cell_id!r}; its cells are listed by title in {self.path}")

    def rubric(self, manual_id: str) -> Cell:
        return self.cell(f"rubric_{manual_id}")


def load(path: str | Path) -> Lab:
    """Parse and check the master at `path`, with the wrong answers beside it.

    Raises
    ------
    MasterError
        The file is not a master; the message is one sentence with file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise MasterError(f"{path}: there is no master here; expected solutions/labNN_slug/labNN_slug.py")
    text = path.read_text(encoding="utf-8")
    try:
        ast.parse(text)
    except SyntaxError as error:
        raise MasterError(f"{path}:{error.lineno}: not valid Python: {error.msg}") from None
    nodes = jupytext.reads(text, fmt="py:percent").cells
    lines = _marker_lines(text)
    if len(nodes) != len(lines):
        raise MasterError(f"{path}:1: text stands before the first cell marker; begin the file with '# %%'")
    cells = tuple(_cell(path, line, node) for line, node in zip(lines, nodes, strict=True))
    master_cells.check_cells(path, cells)
    solutions = [cell for cell in cells if cell.role == "solution"]
    return Lab(path.stem, path, cells, load_wrong_answers(path.parent / "wrong", solutions))


def load_all(root: Path) -> list[Lab]:
    """Load every master under `root`/solutions, in order of their numbers."""
    return [load(folder / f"{folder.name}.py") for folder in sorted((root / "solutions").glob(LAB_FOLDERS))]


def find(root: Path, name: str) -> Lab:
    """Load the master called `name` ("lab06_triton_kernels", or "lab06" for short)."""
    folders = [folder.name for folder in sorted((root / "solutions").glob(LAB_FOLDERS))]
    matches = [folder for folder in folders if folder == name or folder.split("_")[0] == name]
    if len(matches) != 1:
        known = ", ".join(folders) or "none yet"
        raise MasterError(f"{root / 'solutions'}: no lab is called {name!r}; the labs are: {known}")
    return load(root / "solutions" / matches[0] / f"{matches[0]}.py")


def _marker_lines(text: str) -> list[int]:
    """Lines with a cell marker; tokens rather than a search, so that a marker in a string does not count."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [
        token.start[0]
        for token in tokens
        if token.type == tokenize.COMMENT and token.start[1] == 0 and _MARKER.match(token.string)
    ]


def _cell(path: Path, line: int, node: dict) -> Cell:
    where = f"{path}:{line}"
    metadata = {key: value for key, value in node["metadata"].items() if key != "lines_to_next_cell"}
    title = metadata.pop("title", "")
    tags = metadata.pop("tags", [])
    points, hours = metadata.pop("points", None), metadata.pop("hours", None)
    withhold, covers = metadata.pop("withhold", []), metadata.pop("covers", [])
    if metadata:
        known = "tags, points, hours, withhold, covers"
        raise MasterError(f"{where}: unknown cell option {next(iter(metadata))!r}; there are {known}")
    if not isinstance(tags, list):
        raise MasterError(f'{where}: tags must be a list such as tags=["test", "core"], not {tags!r}')
    if not isinstance(withhold, list):
        raise MasterError(f'{where}: withhold= must be a list such as ["lablib.models.gpt"], not {withhold!r}')
    if not isinstance(covers, list):
        raise MasterError(f'{where}: covers= must be a list such as ["quantisation", "lo2"], not {covers!r}')
    role, rest = master_cells.split_tags(where, tags)
    cell = Cell(
        title, role, node["cell_type"], node["source"], points, hours, rest, line, tuple(withhold), tuple(covers)
    )
    master_cells.check_identity(where, cell)
    master_cells.check_plan(where, cell)
    master_cells.check_withhold(where, cell)
    master_cells.check_covers(where, cell)
    master_cells.check_source(where, cell)
    return cell
