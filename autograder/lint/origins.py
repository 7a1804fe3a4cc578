"""Where the values in a test cell come from, and which names the student's side binds."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from autograder.master import Lab


class Origin(Enum):
    """What the linter knows of a value without running anything."""

    FUNCTION = "a function of a solution cell"
    KERNEL = "a Triton kernel of a solution cell"
    CLASS = "a class of a solution cell"
    OBJECT = "an instance of such a class"
    PART = "an attribute of such a class or instance, or one of its parameters"
    CLAIM = "a value that a solution cell or a demonstration computed"
    ANSWER = "what a student's call returned"
    DERIVED = "computed from any of the above"
    DRAWN = "random numbers that are not from check.rng"
    LOCAL = "an object whose class only the test's process has"
    LAZY = "a generator or another iterator"


Origins = frozenset[Origin]
NONE: Origins = frozenset()
CALLABLE = frozenset({Origin.FUNCTION, Origin.KERNEL, Origin.CLASS, Origin.OBJECT})
REMOTE = CALLABLE | {Origin.PART}
"""In grading these are proxies into the student's process."""
STUDENT = REMOTE | {Origin.CLAIM, Origin.ANSWER, Origin.DERIVED}


HERE_ONLY = frozenset({Origin.LOCAL, Origin.LAZY})
"""What a student's function cannot be given."""


def mixed(origins: Origins) -> Origins:
    """Origins of what is computed from values of these."""
    found = origins & {Origin.DRAWN}
    return found | {Origin.DERIVED} if origins & STUDENT else found


def items(origins: Origins) -> Origins:
    """Origins of the items of a collection of these: an item of a student's object is a part of it."""
    whole, inner = {Origin.OBJECT, Origin.CLASS}, origins - {Origin.OBJECT, Origin.CLASS, Origin.LAZY}
    return inner | {Origin.PART} if origins & whole else inner


@dataclass(frozen=True)
class StudentSide:
    """What the solution cells and demonstrations of a lab bind.

    Attributes
    ----------
    names : dict of str to Origins
    makers : frozenset of str
        Functions that return an instance of a class of a solution cell.
    """

    names: dict[str, Origins]
    makers: frozenset[str]


def student_side(lab: Lab) -> StudentSide:
    """Read the origin of every name that the student's process binds."""
    cells = [cell for cell in [*lab.of_role("prose"), *lab.solution_cells] if cell.kind == "code"]
    trees = [(cell.source, tree) for cell in cells if (tree := python(cell.source))]
    names: dict[str, Origins] = {}
    for source, tree in trees:
        names |= dict.fromkeys(assigned_names(source), frozenset({Origin.CLAIM}))
        classes = {name for name, origins in names.items() if Origin.CLASS in origins}
        names |= {name: frozenset({origin}) for name, origin in _definitions(tree, classes)}
    for cell in lab.setup_cells:
        for name in assigned_names(cell.source) | imported_names(cell.source):
            names.pop(name, None)
    classes = {name for name, origins in names.items() if Origin.CLASS in origins}
    functions = [node for _, tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return StudentSide(names, frozenset(f.name for f in functions if _returned_calls(f) & classes))


def python(source: str) -> ast.Module | None:
    """The tree of a cell, or None for a demonstration with IPython's magics."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return None


def imported_names(source: str) -> set[str]:
    """Global names that a cell binds by import."""
    return {symbol.get_name() for symbol in _globals(source) if symbol.is_imported()}


def assigned_names(source: str) -> set[str]:
    """Global names that a cell binds otherwise."""
    return {s.get_name() for s in _globals(source) if (s.is_assigned() or s.is_namespace()) and not s.is_imported()}


def _globals(source: str) -> list[symtable.Symbol]:
    return symtable.symtable(source, "<cell>", "exec").get_symbols()


def _definitions(tree: ast.Module, classes: set[str]) -> Iterator[tuple[str, Origin]]:
    """Definitions of a cell, and assignments that only give one of them, or an instance, another name."""
    classes = classes | {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name, Origin.CLASS
        elif isinstance(node, ast.FunctionDef):
            jit = any(ast.unparse(decorator).split("(")[0].endswith("jit") for decorator in node.decorator_list)
            yield node.name, Origin.KERNEL if jit else Origin.FUNCTION
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
            if called_name(value) in classes:
                yield name, Origin.OBJECT
            elif isinstance(value, ast.Lambda):
                yield name, Origin.FUNCTION
            elif isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id in classes:
                yield name, Origin.FUNCTION  # such as `relu = ReLU.apply`


def _returned_calls(function: ast.FunctionDef) -> set[str]:
    return {called_name(node.value) for node in ast.walk(function) if isinstance(node, ast.Return)}


def called_name(node: ast.AST | None) -> str:
    """The plain name that a call calls; empty for everything else."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
