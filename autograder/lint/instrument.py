"""Rewrite test cells so that a failed assertion is noted and the cell goes on, as if its checking were off.

One run of a wrong answer then tells every assertion that catches it. In a rewritten cell the name `RECORDER` stands for
an `autograder.lint.recorder.Recorder`, and an assertion is known by its line in the master.
"""

from __future__ import annotations

import ast
from dataclasses import replace

from autograder.lint.assertions import assertion_statements, calls_of, hidden_regions, is_check
from autograder.lint.imports import Imports
from autograder.master import Lab
from autograder.master_cells import Cell

RECORDER = "_recorder_of_assertions"


def assertions(lab: Lab, test: Cell) -> dict[int, str]:
    """Source of each assertion of a test cell, by its line in the master."""
    tree = ast.parse(test.source)
    return {
        test.line + statement.lineno: ast.get_source_segment(test.source, statement) or ""
        for statement in assertion_statements(tree, _imports(lab, tree))
    }


def deciding_lines(lab: Lab, test: Cell) -> set[int]:
    """Lines of the assertions in the hidden part, and in functions that it calls; of all where there is none."""
    lines, regions = set(assertions(lab, test)), hidden_regions(test.source)
    spans = [(test.line + first, test.line + last) for first, last in regions]
    tree = ast.parse(test.source)
    called = {name for s in tree.body if _within(test.line + s.lineno, spans) for name in calls_of(s)}
    for function in (s for s in tree.body if isinstance(s, ast.FunctionDef) and s.name in called):
        spans.append((test.line + function.lineno, test.line + (function.end_lineno or 0)))
    return {line for line in lines if not regions or _within(line, spans)}


def instrumented(lab: Lab) -> Lab:
    """The lab with rewritten test cells."""
    return replace(lab, cells=tuple(_rewritten(lab, cell) if cell.role == "test" else cell for cell in lab.cells))


def _rewritten(lab: Lab, test: Cell) -> Cell:
    tree = ast.parse(test.source)
    imports = _imports(lab, tree)
    _Rewriter(set(assertion_statements(tree, imports)), imports, test.line).visit(tree)
    cell = ast.With([ast.withitem(_recorder_call("cell"))], tree.body)
    return replace(test, source=ast.unparse(ast.fix_missing_locations(ast.Module([cell], []))))


class _Rewriter(ast.NodeTransformer):
    """Leave a statement that is nothing but an assertion out when it fails; else only the checks inside it."""

    def __init__(self, statements: set[ast.stmt], imports: Imports, offset: int) -> None:
        self.statements, self.imports, self.offset = statements, imports, offset
        self.line = 0

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.stmt) and node in self.statements:
            self.line = self.offset + node.lineno
            if isinstance(node, (ast.Assert, ast.Expr, ast.Raise)):
                return ast.With([ast.withitem(_recorder_call("assertion", ast.Constant(self.line)))], [node])
        return super().visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if is_check(self.imports.dotted(node.func)):
            node.func = _recorder_call("unchecked", ast.Constant(self.line), node.func)
        return node


def _within(line: int, spans: list[tuple[int, int]]) -> bool:
    return any(first <= line <= last for first, last in spans)


def _recorder_call(method: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Attribute(ast.Name(RECORDER, ast.Load()), method, ast.Load()), list(arguments), [])


def _imports(lab: Lab, tree: ast.Module) -> Imports:
    return Imports([*(ast.parse(cell.source) for cell in lab.setup_cells), tree])
