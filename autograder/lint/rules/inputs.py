"""Inputs come from the judge's secret `check.rng`, and seeds reach the student's process through `check.seed`."""

from __future__ import annotations

import ast
import builtins
import keyword
from collections.abc import Iterator

from autograder.lint.assertions import CHECK
from autograder.lint.finding import Breaches
from autograder.lint.origins import CALLABLE, HERE_ONLY, Origin
from autograder.lint.randomness import IN_PLACE_DRAWS, SEEDS, is_draw
from autograder.lint.reading import Reading, position


def random_numbers(cell: Reading) -> Breaches:
    """Random inputs from elsewhere can be guessed, or differ on a regrade; after `check.seed` an oracle may draw."""
    advice = "write check.rng.normal, .uniform, .integers or .choice, whose seed only the grader knows"
    calls = list(cell.nodes(ast.Call))
    if not any(cell.dotted(call.func) == f"{CHECK}seed" for call in calls):
        for call in calls:
            method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            drawn = is_draw(cell.dotted(call.func)) or (method in IN_PLACE_DRAWS and not cell.dotted(call.func))
            if drawn:
                yield call, f"draws from {ast.unparse(call.func)}; {advice}"
        return
    for call in cell.student_calls:
        if any(Origin.DRAWN in cell.of(value) for value in arguments(call)):
            yield call, f"hands {ast.unparse(call.func)} numbers that are not from check.rng; {advice}"


def seeds(cell: Reading) -> Breaches:
    """A seed of the judge's process does not reach the student's."""
    calls = sorted(cell.nodes(ast.Call), key=position)
    for call in calls:
        name = cell.dotted(call.func)
        later = [c for c in calls if position(c) > position(call)]
        until = next((i for i, c in enumerate(later) if cell.dotted(c.func) == f"{CHECK}seed"), len(later))
        if name in SEEDS and any(cell.reaches_student(c) for c in later[:until]):
            yield call, f"calls {name} before a student's function, whose process it does not reach; write check.seed"


def modified_arguments(cell: Reading) -> Breaches:
    """A student's function gets copies, so what it writes into an argument comes back through `check.inout` only."""
    marked = set(_marked_names(cell))
    for call in cell.student_calls:
        what = _writes_into_arguments(cell, call)
        values = arguments(call)
        names = {v.id for v in values if isinstance(v, ast.Name) and not cell.of(v) & CALLABLE}
        if what and not names & marked and not any(_is_inout(cell, value) for value in values):
            read = sorted(name for name in names if _read_after(cell, call, name))
            if read:
                advice = "pass each tensor that it modifies as check.inout(tensor), or it stays as it was"
                yield call, f"reads {', '.join(read)} after {what}; {advice}"


def objects_of_the_test(cell: Reading) -> Breaches:
    """The other side cannot rebuild an object of a class that it does not have, nor draw from a generator."""
    for call in cell.student_calls:
        for value in arguments(call):
            if cell.of(value) & HERE_ONLY:
                what = f"hands {ast.unparse(call.func)} {ast.unparse(value)}, which cannot cross to its process"
                lazy = Origin.LAZY in cell.of(value)
                yield call, f"{what}; {'pass a list' if lazy else 'pass plain values, a function, or a setup class'}"


RULES = [random_numbers, seeds, modified_arguments, objects_of_the_test]


def arguments(call: ast.Call) -> list[ast.expr]:
    """Values of a call's positional and keyword arguments."""
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _writes_into_arguments(cell: Reading, call: ast.Call) -> str:
    """Say how a call writes into what it is given, or nothing."""
    called = call.func
    if cell.dotted(called).startswith(CHECK) and call.args and cell.of(call.args[0]) & CALLABLE:
        called = call.args[0]  # check.traffic(axpy_, x, y)
    name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
    plain = name.removesuffix("_")
    # A trailing underscore also keeps a name apart from a keyword or a builtin.
    taken = not plain or keyword.iskeyword(plain) or hasattr(builtins, plain)
    if name == f"{plain}_" and not plain.endswith("_") and not taken:
        return f"{name} changed it"
    if any(one.arg == "out" for one in call.keywords):
        return f"{name} got it as out="
    if isinstance(called, ast.Subscript) and Origin.KERNEL in cell.of(called):
        return f"the kernel {ast.unparse(called.value)} may have written to it"
    return ""


def _read_after(cell: Reading, call: ast.Call, name: str) -> bool:
    """Whether the first thing that happens to `name` after the call is that it is read."""
    end = (call.end_lineno or 0, call.end_col_offset or 0)
    for statement in cell.nodes(ast.Assign):
        if call in ast.walk(statement.value) and name in _stored(statement.targets):
            return False  # x = f_(x)
    uses = sorted((node for node in cell.nodes(ast.Name) if node.id == name and position(node) >= end), key=position)
    return bool(uses) and isinstance(uses[0].ctx, ast.Load)


def _marked_names(cell: Reading) -> Iterator[str]:
    """Names of tensors that the cell hands to `check.inout`, or gets from it."""
    for call in cell.nodes(ast.Call):
        if _is_inout(cell, call):
            yield from (value.id for value in call.args if isinstance(value, ast.Name))
    for node in cell.nodes(ast.Assign):
        if any(_is_inout(cell, part) for part in ast.walk(node.value)):
            yield from _stored(node.targets)


def _is_inout(cell: Reading, node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and cell.dotted(node.func) == f"{CHECK}inout"


def _stored(targets: list[ast.expr]) -> Iterator[str]:
    return (node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
