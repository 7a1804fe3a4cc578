"""From a master to notebooks: nbgrader's source, the students' release, the solved and the completed lab."""

from __future__ import annotations

import hashlib
from collections import Counter
from copy import deepcopy

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.master import Lab
from autograder.master_cells import PROSE, Cell

# No patch version of Python: a notebook must not change with the machine that builds it.
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
}
_FLAGS = {  # nbgrader's three flags for each role
    "setup": {"grade": False, "locked": True, "solution": False},
    "solution": {"grade": False, "locked": False, "solution": True},
    "test": {"grade": True, "locked": True, "solution": False},
    "manual": {"grade": True, "locked": False, "solution": True},
}
_MARKERS = ("### BEGIN SOLUTION", "### END SOLUTION", "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")


def source_notebook(lab: Lab) -> NotebookNode:
    """Build nbgrader's source notebook: solutions and hidden tests included, rubrics left out."""
    seen: Counter[str] = Counter()
    cells = [_notebook_cell(cell, seen) for cell in lab.cells if cell.role != "rubric"]
    return new_notebook(cells=cells, metadata=deepcopy(NOTEBOOK_METADATA))


def solution_notebook(lab: Lab) -> NotebookNode:
    """Build the solved lab, to be read and run: every answer filled in, no region markers."""
    notebook = source_notebook(lab)
    for cell in notebook.cells:
        kept = [line for line in cell.source.split("\n") if line.strip() not in _MARKERS]
        cell.source = "\n".join(kept)
    return notebook


def release_notebook(lab: Lab) -> NotebookNode:
    """Build what students get, by nbgrader's own steps of `generate_assignment`, without its database."""
    from autograder.release import RELEASE_STEPS

    notebook, resources = source_notebook(lab), {"nbgrader": {"notebook": lab.name, "assignment": lab.name}}
    for step in RELEASE_STEPS:
        notebook, resources = step().preprocess(notebook, resources)
    return notebook


def solution_answers(lab: Lab) -> dict[str, str]:
    """Source of every solution cell as the solution has it, by cell id."""
    wanted = {cell.id for cell in lab.solution_cells}
    return {cell.id: cell.source for cell in solution_notebook(lab).cells if cell.id in wanted}


def completed_notebook(lab: Lab) -> NotebookNode:
    """Build the release with every answer filled in, as a student has it who is done: without hidden tests."""
    notebook, tests = solution_notebook(lab), {cell.id for cell in lab.test_cells}
    released = {cell.id: cell.source for cell in release_notebook(lab).cells if cell.id in tests}
    for cell in notebook.cells:
        cell.source = released.get(cell.id, cell.source)
    return notebook


def stubs(lab: Lab) -> dict[str, str]:
    """Source of every solution cell as students first meet it, by cell id."""
    wanted = {cell.id for cell in lab.solution_cells}
    return {cell.id: cell.source for cell in release_notebook(lab).cells if cell.id in wanted}


def to_text(notebook: NotebookNode) -> str:
    """Serialise as JupyterLab does, so that opening and saving a fresh notebook changes nothing."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def _notebook_cell(cell: Cell, seen: Counter[str]) -> NotebookNode:
    new_cell = new_code_cell if cell.kind == "code" else new_markdown_cell
    metadata: dict = {"nbgrader": _nbgrader_metadata(cell)} if cell.role != PROSE else {}
    if cell.role == PROSE and cell.tags:
        metadata["tags"] = list(cell.tags)
    return new_cell(cell.source, id=cell.id or _content_id(cell, seen), metadata=metadata)


def _nbgrader_metadata(cell: Cell) -> dict:
    metadata = {"schema_version": 3, "grade_id": cell.id, "task": False, **_FLAGS[cell.role]}
    if metadata["grade"]:
        metadata["points"] = cell.points
    return metadata


def _content_id(cell: Cell, seen: Counter[str]) -> str:
    """An id that depends on the prose alone; equal pieces of prose are numbered."""
    digest = hashlib.sha256(f"{cell.kind}\n{cell.source}".encode()).hexdigest()[:12]
    seen[digest] += 1
    return f"prose-{digest}-{seen[digest]}"
