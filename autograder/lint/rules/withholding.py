"""What a lab withholds is there to be withheld, is told to students, and is imported by tests alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autograder.lint.finding import Finding
from autograder.master import Lab
from autograder.withholding import WithholdingError, path_of


def absent(lab: Lab) -> Iterator[Finding]:
    """A name that nothing has would withhold nothing."""
    for cell in lab.setup_cells:
        for name in cell.withhold:
            try:
                path_of(name)
            except WithholdingError as error:
                yield Finding(lab.path, cell.line, cell.id, f"withholds what is not there: {error}")


def untold(lab: Lab) -> Iterator[Finding]:
    """A student whose notebook has it must know that grading has not."""
    prose = "\n".join(cell.source for cell in lab.cells if cell.kind == "markdown")
    for cell in lab.setup_cells:
        for name in cell.withhold:
            if "/" not in name and f"`{name}`" not in prose:
                yield Finding(lab.path, cell.line, cell.id, f"withholds {name}, and no text says so: name `{name}`")


def imported(lab: Lab) -> Iterator[Finding]:
    """Setup and solution cells run where it is absent."""
    for cell in lab.of_role("setup", "solution"):
        for node, names in _imports(ast.parse(cell.source), functions=cell.role == "solution"):
            for name in lab.withheld:
                if any(f"{one}.".startswith(f"{name}.") for one in names):
                    text = f"imports {name}, which the lab withholds; import it in the tests that need it"
                    yield Finding(lab.path, cell.line + node.lineno, cell.id, text)


RULES = [absent, untold, imported]


def _imports(tree: ast.AST, functions: bool) -> Iterator[tuple[ast.stmt, list[str]]]:
    """Import statements with the modules that they may name; those of a setup cell's functions are for tests to run."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield node, [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            yield node, [f"{node.module}.{alias.name}" for alias in node.names]
        elif functions or not isinstance(node, ast.FunctionDef):
            yield from _imports(node, functions)
