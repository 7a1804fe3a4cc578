"""What markers see and students do not: rubrics, and the sources of hidden tests."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from autograder import master

RUBRIC_TAG = "rubric"
_HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[ \t]*\n?", re.DOTALL | re.MULTILINE)


def inert(text: str) -> str:
    """Markdown in which no tag, picture or link lives, but those to web pages; formulas and code stay readable.

    nbgrader's pages show a cell's Markdown as it is, and would run its scripts in the marker's browser.
    """
    text = re.sub(r"<(?=[A-Za-z/!?])", "< ", text)  # a blank after it ends a tag's life
    text = re.sub(r"\](?=:|\((?!https?://))|(?<=!)(?=\[)", _apart, text)
    return re.sub(r"\\href\b", r"\\text", text)  # MathJax makes links too


def _apart(found: re.Match[str]) -> str:
    return f"{found.group()} "


class DefuseAnswers(NbGraderPreprocessor):
    """Make written answers inert."""

    def preprocess_cell(self, cell, resources, cell_index):
        if cell.cell_type == "markdown" and utils.is_solution(cell):
            cell.source = inert(cell.source)
        return cell, resources


class InsertRubrics(NbGraderPreprocessor):
    """Put the master's rubric above each cell that a person marks."""

    solutions = Unicode(help="folder of the masters").tag(config=True)

    def preprocess(self, nb, resources):
        name = resources["nbgrader"]["assignment"]
        path = Path(self.solutions, name, f"{name}.py")
        rubrics = _rubrics(path, path.stat().st_mtime_ns)
        cells: list[NotebookNode] = []
        for cell in nb.cells:
            rubric = f"rubric_{cell.metadata.get('nbgrader', {}).get('grade_id')}"
            if rubric in rubrics:
                locked = {"tags": [RUBRIC_TAG], "deletable": False, "editable": False}
                cells.append(new_markdown_cell(f"**Rubric**\n\n{rubrics[rubric]}", id=rubric, metadata=locked))
            cells.append(cell)
        nb.cells = cells
        return nb, resources


@lru_cache(maxsize=4)
def _rubrics(path: Path, changed: int) -> dict[str, str]:
    """Rubrics of the master at `path`, by id: read once for a class, and again when the file has changed."""
    return {cell.id: cell.source for cell in master.load(path).rubric_cells}


class HideFromStudents(NbGraderPreprocessor):
    """Take rubrics and hidden tests out of feedback."""

    def preprocess(self, nb, resources):
        nb.cells = [cell for cell in nb.cells if RUBRIC_TAG not in cell.metadata.get("tags", [])]
        for cell in nb.cells:
            if cell.cell_type == "code" and utils.is_grade(cell):
                self._hide(cell)
        return nb, resources

    def _hide(self, cell: NotebookNode) -> None:
        cell.source, hidden = _HIDDEN.subn("", cell.source)
        if not hidden:
            return
        for output in cell.outputs:
            if output.output_type == "error":
                output.traceback = [f"{output.ename}: {output.evalue or 'a hidden test failed'}"]
