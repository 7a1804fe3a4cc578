"""What markers see and students do not: rubrics, and the sources of hidden tests."""

from __future__ import annotations

import re
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from autograder import master

RUBRIC_TAG = "rubric"
_HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[ \t]*\n?", re.DOTALL | re.MULTILINE)


class DefuseAnswers(NbGraderPreprocessor):
    """Make written answers plain Markdown: nbgrader's pages would run a `<script>` in the marker's browser.

    A blank after `<` ends a tag's life and keeps `a<b` readable, in code and formulas too.
    """

    def preprocess_cell(self, cell, resources, cell_index):
        if cell.cell_type == "markdown" and utils.is_solution(cell):
            cell.source = re.sub(r"<(?=[A-Za-z/!?])", "< ", cell.source)
        return cell, resources


class InsertRubrics(NbGraderPreprocessor):
    """Put the master's rubric above each cell that a person marks."""

    solutions = Unicode(help="folder of the masters").tag(config=True)

    def preprocess(self, nb, resources):
        name = resources["nbgrader"]["assignment"]
        rubrics = {cell.id: cell for cell in master.load(Path(self.solutions, name, f"{name}.py")).rubric_cells}
        cells: list[NotebookNode] = []
        for cell in nb.cells:
            rubric = rubrics.get(f"rubric_{cell.metadata.get('nbgrader', {}).get('grade_id')}")
            if rubric:
                locked = {"tags": [RUBRIC_TAG], "deletable": False, "editable": False}
                cells.append(new_markdown_cell(f"**Rubric**\n\n{rubric.source}", id=rubric.id, metadata=locked))
            cells.append(cell)
        nb.cells = cells
        return nb, resources


class HideFromStudents(NbGraderPreprocessor):
    """Take rubrics and hidden tests out of feedback, and the tracebacks and prints that would quote them."""

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
        cell.outputs = [output for output in cell.outputs if output.output_type == "error"]
        for output in cell.outputs:
            message = output.evalue or "a hidden test failed"
            output.traceback = [f"{output.ename}: {message}"]
