"""Which statements of a test cell can fail it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from autograder.lint.imports import Imports

CHECK = "lablib.check."
MEASURES_ONLY = frozenset({"Observation", "inout", "lock", "observe", "rng", "seed"})
"""Members of lablib.check that assert nothing."""
WITHOUT_VALUE = frozenset({"close", "equal", "rounded", "seed"})
"""Members of lablib.check that return None."""
_HIDDEN_MARKS = ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")


def is_check(dotted: str) -> bool:
    """Whether the full name is that of an assertion of `lablib.check`, or of a library's `assert_...`.

    Examples
    --------
    >>> is_check("lablib.check.close"), is_check("lablib.check.rng.normal")
    (True, False)
    """
    if dotted.startswith(CHECK):
        return dotted.removeprefix(CHECK).partition(".")[0] not in MEASURES_ONLY
    return dotted.rpartition(".")[2].startswith("assert_")


def own_expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Everything in a statement but the statements inside it."""
    waiting = [child for child in ast.iter_child_nodes(statement) if not isinstance(child, ast.stmt)]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]


def assertion_statements(tree: ast.AST, imports: Imports) -> list[ast.stmt]:
    """Statements that fail a cell: `assert`, `raise`, and any with a check among its expressions."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assert, ast.Raise)):
            found.append(node)
        elif isinstance(node, ast.stmt) and not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            calls = (part for part in own_expressions(node) if isinstance(part, ast.Call))
            if any(is_check(imports.dotted(call.func)) for call in calls):
                found.append(node)
    return sorted(found, key=lambda statement: statement.lineno)


def asserting_functions(trees: Iterable[ast.AST], imports: Imports) -> set[str]:
    """Names of functions in which something can fail, directly or through each other."""
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    found = {function.name for function in functions if assertion_statements(function, imports)}
    while True:
        more = {function.name for function in functions if calls_of(function) & found} - found
        if not more:
            return found
        found |= more


def hidden_regions(source: str) -> list[tuple[int, int]]:
    """First and last line of each hidden part of a test cell."""
    marks = [number for number, line in enumerate(source.splitlines(), 1) if line.strip() in _HIDDEN_MARKS]
    return list(zip(marks[::2], marks[1::2], strict=True))


def calls_of(tree: ast.AST) -> set[str]:
    """Plain names that are called anywhere in `tree`."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {call.func.id for call in calls if isinstance(call.func, ast.Name)}
