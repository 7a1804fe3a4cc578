"""A test cell as grading sees it: what comes from the student's side, and which calls go there."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autograder.lint.following import Follower
from autograder.lint.imports import Imports
from autograder.lint.origins import NONE, Origins, StudentSide, assigned_names


class Reading:
    """A test cell, read.

    Attributes
    ----------
    source : str
    tree : ast.Module
    student_calls : list of ast.Call
        Calls of what a solution cell defines, and calls that hand it to a check or a helper, in the cell's order.
    """

    def __init__(self, source: str, setup: list[ast.Module], student: StudentSide) -> None:
        self.source, self.setup, self.tree = source, setup, ast.parse(source)
        self.imports = Imports([*setup, self.tree], hidden=assigned_names(source))
        follower = Follower(self.imports, student)
        follower.follow(self.tree)
        self._origins, self._reaching = follower.origins, follower.direct | follower.leading
        self.student_calls = sorted(follower.direct, key=position)

    def of(self, node: ast.AST) -> Origins:
        """Origins of the value of an expression."""
        return self._origins.get(node, NONE)

    def dotted(self, node: ast.AST) -> str:
        """Full name of what a name or attribute reaches through an import."""
        return self.imports.dotted(node)

    def nodes(self, *kinds: type) -> Iterator:
        """The cell's nodes of these kinds."""
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))

    def reaches_student(self, node: ast.AST) -> bool:
        """Whether a call inside `node` goes to the student's side."""
        return any(part in self._reaching for part in ast.walk(node))


def position(node: ast.AST) -> tuple[int, int]:
    """Line and column, to order nodes as they stand."""
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
