"""Students' objects are proxies: they are called and give plain values; nothing else is asked of them, or written."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autograder.lint.assertions import CHECK
from autograder.lint.finding import Breaches
from autograder.lint.origins import CALLABLE, REMOTE, Origin
from autograder.lint.reading import Reading
from autograder.lint.rules.inputs import arguments

COMPARING = frozenset({"__eq__", "allclose", "eq", "equal", "equals", "isclose", "ne"})
TYPE_QUESTIONS = frozenset({"id", "isinstance", "issubclass", "type", "vars"})
ANSWERED_DUNDERS = frozenset({"__call__", "__getitem__", "__iter__", "__len__", "__name__", "__next__"})
ADDRESSES = frozenset({"_base", "data_ptr", "is_set_to"})
LOST = frozenset({"AssertionError", "StopAsyncIteration", "StopIteration"})
"""What a student's code raises of these would be taken for the test's own."""
GIVE_BY_CALL = "give it through a call, such as load_state_dict or an argument of the constructor"


def expected_values(cell: Reading) -> Breaches:
    """Whoever is asked whether it equals the expected value answers yes."""
    for call in cell.nodes(ast.Call):
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        constant = all(isinstance(value, ast.Constant) for value in arguments(call))
        if method in COMPARING and not constant and cell.of(call.func.value) & (REMOTE | {Origin.ANSWER, Origin.CLAIM}):
            whose = ast.unparse(call.func.value)
            yield call, f"asks {whose}.{method} whether it is right; write check.close({whose}, expected)"


def questions(cell: Reading) -> Breaches:
    """A proxy's type, equality and truth say nothing of the object behind it."""
    advice = "which in grading is a proxy; call it, and compare the plain values that it returns"
    for node, what in [*_type_questions(cell), *_comparisons(cell), *_truths(cell), *_dunders(cell)]:
        yield node, f"{what}, {advice}"


def writes(cell: Reading) -> Breaches:
    """A write to a proxy does not reach the object."""
    for node in cell.nodes(ast.Attribute, ast.Subscript):
        base = cell.of(node.value)
        remote = base & REMOTE or (isinstance(node, ast.Attribute) and Origin.CLAIM in base)
        if remote and not isinstance(node.ctx, ast.Load):
            yield node, f"writes {ast.unparse(node)} of a student's object; {GIVE_BY_CALL}"
    for call in cell.nodes(ast.Call):
        name = ast.unparse(call.func)
        if name in ("setattr", "delattr") and call.args and cell.of(call.args[0]) & REMOTE:
            yield call, f"calls {name} on a student's object; {GIVE_BY_CALL}"


def exceptions(cell: Reading) -> Breaches:
    """Only Python's own exceptions come back as what they are; another comes as the builtin one that it extends."""
    classes = (node for tree in [*cell.setup, cell.tree] for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    defined = {node.name for node in classes}
    for place, kind, lost in _expected_exceptions(cell):
        names = [node for node in ast.walk(kind) if isinstance(node, ast.Name)]
        if any(name.id in defined | lost or Origin.CLASS in cell.of(name) for name in names):
            what = f"expects {ast.unparse(kind)}, which does not come from the student's process as such"
            yield place, f"{what}; have the contract raise one of Python's own, such as ValueError"


def identity(cell: Reading) -> Breaches:
    """An answer comes as a copy: it lies elsewhere than the argument that it may be a view of."""
    advice = "an answer comes as a copy; write check.cost(..., allocated=0) for a view"
    for node in cell.nodes(ast.Attribute):
        if node.attr in ADDRESSES and cell.of(node.value) & {Origin.ANSWER, Origin.DERIVED}:
            yield node, f"reads {ast.unparse(node)}, but {advice}"
    for node in cell.nodes(ast.Compare):
        sides = [node.left, *node.comparators]
        identical = any(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops)
        # None, True and torch.float16 are one object on both sides.
        single = any(isinstance(side, ast.Constant) or cell.dotted(side) for side in sides)
        if identical and not single and any(Origin.ANSWER in cell.of(side) for side in sides):
            yield node, f"asks whether {ast.unparse(node)}, but {advice}"


RULES = [expected_values, questions, writes, exceptions, identity]


def _type_questions(cell: Reading) -> Iterator[tuple[ast.AST, str]]:
    for call in cell.nodes(ast.Call):
        asked = call.func.id if isinstance(call.func, ast.Name) else ""
        about = [value for value in call.args if cell.of(value) & CALLABLE]
        if about and (asked in TYPE_QUESTIONS or cell.dotted(call.func).startswith("inspect.")):
            yield call, f"asks {ast.unparse(call.func)} about {ast.unparse(about[0])}"


def _comparisons(cell: Reading) -> Iterator[tuple[ast.AST, str]]:
    for node in cell.nodes(ast.Compare):
        about = [side for side in (node.left, *node.comparators) if cell.of(side) & CALLABLE]
        if about and any(isinstance(op, (ast.Eq, ast.NotEq)) for op in node.ops):
            yield node, f"compares {ast.unparse(about[0])} by == or !="


def _truths(cell: Reading) -> Iterator[tuple[ast.AST, str]]:
    asked = [node.test for node in cell.nodes(ast.If, ast.While, ast.IfExp, ast.Assert)]
    asked += [value for node in cell.nodes(ast.BoolOp) for value in node.values]
    asked += [node.operand for node in cell.nodes(ast.UnaryOp) if isinstance(node.op, ast.Not)]
    asked += [value for call in cell.nodes(ast.Call) if ast.unparse(call.func) == "bool" for value in call.args]
    for node in asked:
        if cell.of(node) & CALLABLE:
            yield node, f"asks whether {ast.unparse(node)} is true"


def _dunders(cell: Reading) -> Iterator[tuple[ast.AST, str]]:
    for node in cell.nodes(ast.Attribute):
        dunder = node.attr.startswith("__") and node.attr.endswith("__") and node.attr not in ANSWERED_DUNDERS
        if dunder and cell.of(node.value) & CALLABLE:
            yield node, f"reads {ast.unparse(node)}"


def _expected_exceptions(cell: Reading) -> Iterator[tuple[ast.AST, ast.expr, frozenset[str]]]:
    """Where an exception is expected of a student's call, which, and the builtin ones that cannot come there."""
    for call in cell.nodes(ast.Call):
        if call.args and cell.dotted(call.func) == f"{CHECK}raises":
            yield call, call.args[0], LOST
    for node in cell.nodes(ast.Try):
        if any(cell.reaches_student(statement) for statement in node.body):
            # `except AssertionError` around a check is the test's own affair.
            yield from ((handler, handler.type, frozenset()) for handler in node.handlers if handler.type)
