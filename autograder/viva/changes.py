"""Small changes of an answer, each with a question about it: what would the program do then?"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_EDGES: dict[type[ast.cmpop], str] = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
_SIGNS: dict[type[ast.operator], str] = {ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.Div: "*", ast.FloorDiv: "/"}
_PLAIN = (0, 1, -1)  # nobody chose these


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes
    ----------
    cell : str
        Id of the solution cell.
    kind : str
        "constant", "branch", "edge", "sign" or "line".
    line : int
        Line of the cell, from 1.
    question : str
        What to ask the student.
    source : str
        The cell with the change made.
    """

    cell: str
    kind: str
    line: int
    question: str
    source: str


def changes(cell: str, answer: str, given: str) -> list[Change]:
    """Changes of one answer, in the order of its lines; none where it is no valid Python.

    Parameters
    ----------
    cell, answer
        The cell's id and what the student wrote there.
    given
        What the cell held at first: on its lines there is nothing to ask.

    Examples
    --------
    >>> (change,) = changes("f", "def f(x):\\n    return x < 7", "def f(x):\\n    raise NotImplementedError")[:1]
    >>> change.kind, change.source
    ('constant', 'def f(x):\\n    return x < 8')
    """
    tree = _parsed(answer)
    if tree is None:
        return []
    old = {line.strip() for line in given.splitlines()}
    lines = [line.decode() for line in answer.encode().splitlines()]  # as Python's own parser numbers them
    found = [
        Change(cell, kind, node.lineno, question, _replaced(answer, node, text))
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.Lambda)
        for node, kind, question, text in _places(function, answer)
        if lines[node.lineno - 1].strip() not in old
    ]
    whole = [change for change in dict.fromkeys(found) if _parsed(change.source)]  # not so inside of f-strings
    return sorted(whole, key=lambda change: (change.line, change.kind, change.source))


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


Place = tuple[ast.expr | ast.stmt, str, str, str]


def _places(function: ast.FunctionDef | ast.Lambda, answer: str) -> Iterator[Place]:
    """A node, the kind of its change, the question, and the text that takes its place."""
    bound = {argument.arg for argument in function.args.args}
    for node in ast.walk(function):
        if isinstance(node, ast.Constant):
            value = node.value
            if isinstance(value, int | float) and not isinstance(value, bool) and value not in _PLAIN:
                new = value + 1 if isinstance(value, int) else 2 * value
                yield node, "constant", f"You wrote `{value}` here. Why? What if it were `{new}`?", str(new)
        elif isinstance(node, ast.If | ast.IfExp):
            test = ast.get_source_segment(answer, node.test) or ""
            question = f"When is `{_short(test)}` true? What would go wrong if it never were?"
            yield node.test, "branch", question, "False"
        elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _EDGES:
            left, right = (ast.get_source_segment(answer, side) or "" for side in (node.left, node.comparators[0]))
            text = f"{left} {_EDGES[type(node.ops[0])]} {right}"
            yield node, "edge", f"Suppose this read `{_short(text)}`. For which input is the result another one?", text
        elif isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
            left, right = (ast.get_source_segment(answer, side) or "" for side in (node.left, node.right))
            text = f"({left} {_SIGNS[type(node.op)]} {right})"
            yield node, "sign", f"What would this return if it read `{_short(text)}`?", text
        elif isinstance(node, ast.AugAssign) or _assigns_again(node, bound):
            assert isinstance(node, ast.stmt)
            yield node, "line", "Take this statement away. Which result changes, and how?", "pass"


def _assigns_again(node: ast.AST, bound: set[str]) -> bool:
    """Whether a statement gives a parameter another value: without it the function still runs."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return True
    return isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id in bound for t in node.targets)


def _replaced(source: str, node: ast.expr | ast.stmt, text: str) -> str:
    """The source with other text in a node's place; columns count bytes."""
    lines = source.encode().splitlines(keepends=True)
    assert node.end_lineno is not None and node.end_col_offset is not None
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    whole = b"".join(lines)
    return (whole[:start] + text.encode() + whole[end:]).decode()


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:77]}…"
