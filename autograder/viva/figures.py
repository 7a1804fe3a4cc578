"""Ask about a figure that the student's notebook recorded."""

from __future__ import annotations

import ast
import json
import random
import re
from dataclasses import dataclass
from pathlib import Path

from autograder.dependencies import names
from autograder.handin import HandInError, read_bytes
from autograder.master import Lab

RECORDING = "record_figures"
_MOST = 20_000  # characters of an output that are read
_FIGURE = re.compile(r"([a-z][a-z0-9_]*) = (-?[0-9][0-9.e+-]*)")


@dataclass(frozen=True)
class FigureQuestion:
    """One figure.

    Attributes
    ----------
    name, value : str
        As the notebook shows them; the value is the student's claim.
    expression : str
        How the lab computes it.
    cells : tuple of str
        Cells of the lab that bind the names in it.
    """

    name: str
    value: str
    expression: str
    cells: tuple[str, ...]


def draw_figure(lab: Lab, notebook: Path, content: str) -> FigureQuestion | None:
    """Choose a figure that the lab asks for and the notebook shows; None where there is none."""
    expressions = asked(lab)
    shown = {name: value for name, value in _FIGURE.findall(_recorded(notebook)) if name in expressions}
    if not shown:
        return None
    name = random.Random(f"{lab.name} {content} figure").choice(sorted(shown))
    read = names(expressions[name]).read
    cells = [cell.id for cell in lab.cells if cell.kind == "code" and cell.id and read & names(cell.source).defined]
    return FigureQuestion(name, shown[name], expressions[name], tuple(cells))


def asked(lab: Lab) -> dict[str, str]:
    """Expressions of the figures that the lab records, by name."""
    sources = [cell.source for cell in lab.cells if cell.id == RECORDING]
    literals = [node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Dict)]
    return {
        str(key.value): ast.unparse(value.body if isinstance(value, ast.Lambda) else value)
        for literal in literals
        for key, value in zip(literal.keys, literal.values, strict=True)
        if isinstance(key, ast.Constant)
    }


def _recorded(notebook: Path) -> str:
    """What the notebook's last code cell printed; nothing where it is no notebook that shows it."""
    try:
        cells = json.loads(read_bytes(notebook))["cells"]
        outputs = [output for cell in cells if cell.get("id") == RECORDING for output in cell["outputs"]]
        texts = [output.get("text", "") for output in outputs]
        return "".join(text if isinstance(text, str) else "".join(text) for text in texts)[:_MOST]
    except (HandInError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return ""
