"""What the linter says: a place in a master, and one sentence."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Breaches = Iterator[tuple[ast.AST, str]]
"""What a rule yields: the node that breaks it, and what to write instead."""


@dataclass(frozen=True, order=True)
class Finding:
    """A breach of a rule for a lab's author.

    Attributes
    ----------
    path : Path
        The master.
    line : int
        From 1.
    cell : str
        Id of the cell; empty for one without a title.
    text : str
        What is wrong, and what to write instead.
    """

    path: Path
    line: int
    cell: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.cell or 'a cell'} {self.text}"
