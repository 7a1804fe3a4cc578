"""What holds between cells: a test asks its own exercise, and stands on setup and solution cells alone."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from autograder.dependencies import borrowed_names, dependent_tests, names
from autograder.lint.finding import Finding
from autograder.lint.origins import assigned_names, imported_names, python
from autograder.master import Lab
from autograder.master_cells import Cell


def borrowed(lab: Lab) -> Iterator[Finding]:
    """In grading demonstrations do not run, and a test may not rest on another one."""
    for test in lab.test_cells:
        for name in borrowed_names(lab, test):
            text = f"reads {name}, which only a demonstration or another test binds; bind it here or in a setup cell"
            yield _finding(lab, test, name, text)


def imports_of_solutions(lab: Lab) -> Iterator[Finding]:
    """An import in a solution cell belongs to the student, who may leave it out."""
    given = _bound(lab, "setup")
    theirs = set().union(*(imported_names(cell.source) for cell in lab.solution_cells))
    for test in lab.test_cells:
        own = names(test.source)
        for name in sorted((own.read & theirs) - own.defined - given):
            text = f"reads {name}, which a solution cell imports; import it here or in a setup cell"
            yield _finding(lab, test, name, text)


def rebound(lab: Lab) -> Iterator[Finding]:
    """A test that binds a name of a setup or solution cell changes what later cells read."""
    for test in lab.test_cells:
        for name in sorted(assigned_names(test.source) & (_bound(lab, "setup", "solution") - {"_"})):
            text = f"binds {name}, which a setup or solution cell binds and later cells read; choose another name"
            yield _finding(lab, test, name, text)


def names_of_tests(lab: Lab) -> Iterator[Finding]:
    """A cell that reads what a test left behind shows something else in grading, and after a failed test."""
    cells = [cell for cell in lab.cells if cell.kind == "code" and python(cell.source)]
    found = [names(cell.source) for cell in cells]
    for index, cell in enumerate(cells):
        if cell.role == "test":
            continue
        # The last cell that bound the name; for a function's body that names what comes later, the next that does.
        order = [*reversed(range(index)), *range(index + 1, len(cells))]
        for name in sorted(found[index].read - found[index].defined - set(dir(builtins))):
            binder = next((cells[i] for i in order if name in found[i].defined), cell)
            if binder.role == "test":
                text = f"reads {name} of {binder.id}; bind it in this cell or in a setup cell"
                yield _finding(lab, cell, name, text)


def unrelated(lab: Lab) -> Iterator[Finding]:
    """A test of an exercise calls what its cell defines."""
    for test in lab.test_cells:
        solution = lab.cell(test.id.removeprefix("test_"))
        if test not in dependent_tests(lab, solution.id):
            defined = ", ".join(sorted(assigned_names(solution.source))) or "anything"
            yield _finding(lab, test, "", f"uses nothing that its cell {solution.id} defines; call {defined}")


RULES = [borrowed, imports_of_solutions, rebound, names_of_tests, unrelated]


def _bound(lab: Lab, *roles: str) -> set[str]:
    return set().union(*(assigned_names(c.source) | imported_names(c.source) for c in lab.of_role(*roles)))


def _finding(lab: Lab, cell: Cell, name: str, text: str) -> Finding:
    """At the first place of the cell that names `name`, else at its marker."""
    tree = ast.parse(cell.source)
    lines = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name]
    return Finding(lab.path, cell.line + min(lines, default=0), cell.id, text)
