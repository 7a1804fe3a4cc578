"""Full names of what a cell reaches through its imports: `F.relu` is `torch.nn.functional.relu`."""

from __future__ import annotations

import ast
from collections.abc import Iterable


class Imports:
    """Names that import statements bind, functions' own imports included; `hidden` are those bound anew since.

    Examples
    --------
    >>> known = Imports([ast.parse("import torch.nn.functional as F")])
    >>> known.dotted(ast.parse("F.relu(x)", mode="eval").body.func)
    'torch.nn.functional.relu'
    """

    def __init__(self, trees: Iterable[ast.AST], hidden: Iterable[str] = ()) -> None:
        self._full: dict[str, str] = {}
        nodes = [node for tree in trees for node in ast.walk(tree)]
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    self._full[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                self._full.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
        for name in hidden:
            self._full.pop(name, None)
        for node in nodes:
            # An own `class Spy(TorchDispatchMode)` does to a call what its base does.
            if isinstance(node, ast.ClassDef) and node.bases and self.dotted(node.bases[0]):
                self._full[node.name] = self.dotted(node.bases[0])

    def dotted(self, node: ast.AST) -> str:
        """Full name of a name or attribute; empty when no import leads to it."""
        if isinstance(node, ast.Name):
            return self._full.get(node.id, "")
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value)
            return f"{base}.{node.attr}" if base else ""
        return ""
