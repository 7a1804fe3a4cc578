"""What a test decides: on values that the judge computed or measured, in a hidden part too, and without a score."""

from __future__ import annotations

import ast
import math

from autograder.lint.assertions import (
    CHECK,
    WITHOUT_VALUE,
    asserting_functions,
    assertion_statements,
    hidden_regions,
    is_check,
)
from autograder.lint.finding import Breaches
from autograder.lint.origins import STUDENT, Origin, called_name
from autograder.lint.randomness import is_draw
from autograder.lint.reading import Reading

ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
SUMMARIES = frozenset({"float", "int", "len", "max", "min", "round", "sum"})


def claims(cell: Reading) -> Breaches:
    """A bound on a number that the student's side reports is met by reporting another number."""
    for node in cell.nodes(ast.Compare):
        if any(isinstance(op, ORDER) for op in node.ops):
            for side in [side for side in (node.left, *node.comparators) if _reported(cell, side)]:
                what = f"bounds {ast.unparse(side)}, which the student's side reports"
                yield side, f"{what}; measure it in the test, from values or by a check.*"


def one_sided(cell: Reading) -> Breaches:
    """Zero bytes moved is as wrong as too many."""
    for call in cell.nodes(ast.Call):
        for bound in call.keywords if is_check(cell.dotted(call.func)) else ():
            least = bound.value.elts[0] if isinstance(bound.value, ast.Tuple) and len(bound.value.elts) == 2 else None
            if isinstance(least, ast.Constant) and least.value == 0:
                yield call, f"allows {bound.arg} of 0; give the least that an honest answer needs"


def float_equality(cell: Reading) -> Breaches:
    """Rounding differs between right answers."""
    for node in cell.nodes(ast.Compare):
        sides = [node.left, *node.comparators]
        floats = [ast.unparse(side) for side in sides if _is_float(side)]
        exact = any(isinstance(op, (ast.Eq, ast.NotEq)) for op in node.ops)
        if exact and floats and any(cell.of(side) & STUDENT for side in sides):
            what = f"compares with {floats[0]} by == or !=; write math.isclose or check.close"
            yield node, f"{what}, or check.equal where the contract promises this very number"


def nothing_asserted(cell: Reading) -> Breaches:
    """What students cannot see has to be asked too, unless the visible inputs are secret."""
    lines = _asserting_lines(cell)
    if not lines:
        yield cell.tree, "asserts nothing; write check.close, check.equal or another check.*"
        return
    regions = hidden_regions(cell.source)
    for first, last in regions:
        if not any(first <= line <= last for line in lines):
            place = ast.Pass(lineno=first, col_offset=0)
            yield place, "asserts nothing in its hidden part; ask there with other inputs"
    names = [cell.dotted(node) for node in cell.nodes(ast.Attribute, ast.Name)]
    drawn = any(name.startswith(f"{CHECK}rng.") or is_draw(name) for name in names)
    if not regions and not drawn:
        yield cell.tree, "shows all that it asks; draw inputs from check.rng, or ask more in a hidden part"


def ends_in_value(cell: Reading) -> Breaches:
    """nbgrader reads the value of a test cell's last expression as its score."""
    last = cell.tree.body[-1]
    if isinstance(last, ast.Expr) and _has_value(cell, last.value):
        yield last, f"ends in a value ({ast.unparse(last.value)}), which nbgrader reads as a score; bind it to a name"


RULES = [claims, one_sided, float_equality, nothing_asserted, ends_in_value]


def _reported(cell: Reading, node: ast.expr) -> bool:
    """Whether a number is the student's side's word alone: no argument of the test goes into it."""
    if isinstance(node, ast.Name):
        return Origin.CLAIM in cell.of(node)
    if isinstance(node, ast.Attribute):
        return bool(cell.of(node) & {Origin.PART, Origin.CLAIM})
    if isinstance(node, ast.Subscript):
        return _reported(cell, node.value)
    if isinstance(node, ast.Call) and called_name(node) in SUMMARIES:
        return len(node.args) == 1 and _reported(cell, node.args[0])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return not node.args and not node.keywords and _reported(cell, node.func)
    return False


def _is_float(node: ast.expr) -> bool:
    """Whether an expression shows that its value is a finite float, or holds one."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float) and math.isfinite(node.value)
    if isinstance(node, (ast.Tuple, ast.List)):
        return any(_is_float(item) for item in node.elts)
    if isinstance(node, ast.UnaryOp):
        return _is_float(node.operand)
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)


def _asserting_lines(cell: Reading) -> set[int]:
    """Lines of assertions, and of calls of functions that assert."""
    functions = asserting_functions([*cell.setup, cell.tree], cell.imports)
    lines = {statement.lineno for statement in assertion_statements(cell.tree, cell.imports)}
    return lines | {call.lineno for call in cell.nodes(ast.Call) if called_name(call) in functions}


def _has_value(cell: Reading, node: ast.expr) -> bool:
    """Whether an expression surely has a value; a call may return None."""
    if not isinstance(node, ast.Call):
        return not (isinstance(node, ast.Constant) and node.value in (None, ...))
    check = cell.dotted(node.func)
    if check.startswith(CHECK):
        return check.removeprefix(CHECK) not in WITHOUT_VALUE
    return node in cell.student_calls
