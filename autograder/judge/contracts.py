"""What a lab's contracts declare: the names that students define, and the methods of their classes.

Read from the master. A student's object answers to its declared methods alone, so that nothing that a hand-in adds to
it is ever asked.
"""

from __future__ import annotations

import ast
from contextlib import suppress
from dataclasses import dataclass, field

from IPython.core.inputtransformer2 import TransformerManager

from autograder.dependencies import names
from autograder.master import Lab
from lablib.gpu.vocabulary import kernel_definitions

MODULE_METHODS = frozenset({
    "__call__", "__iter__", "__len__", "__getitem__", "forward", "parameters", "named_parameters", "buffers",
    "named_buffers", "modules", "children", "named_modules", "state_dict", "load_state_dict", "eval", "train",
    "zero_grad", "requires_grad_",
})  # fmt: skip
"""What a test may ask of a student's torch.nn.Module besides the methods that the contract declares."""


@dataclass(frozen=True)
class Contracts:
    """Declarations of one lab.

    Attributes
    ----------
    names : frozenset of str
        Names that its solution cells define.
    values : frozenset of str
        Those of them that are bound by an assignment, and may be plain values.
    classes : dict of str to frozenset of str
        Methods by class, of classes in solution and setup cells.
    """

    names: frozenset[str]
    values: frozenset[str]
    classes: dict[str, frozenset[str]] = field(default_factory=dict)


def contracts(lab: Lab) -> Contracts:
    """What the master of `lab` declares."""
    defined = frozenset().union(*(names(cell.source).defined for cell in lab.solution_cells))
    definitions = set()
    classes = {}
    for cell in lab.of_role("setup", "solution"):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ClassDef):
                classes[node.name] = frozenset(
                    item.name for item in node.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))
                )
    for cell in lab.solution_cells:
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        definitions |= {node.name for node in ast.parse(cell.source).body if isinstance(node, kinds)}
    return Contracts(defined, defined - definitions, classes)


def allowed_kernels(lab: Lab, answers: dict[str, str]) -> frozenset[str]:
    """Every kernel that stands in a hand-in's answers or in the lab's setup, in a form to compare."""
    sources = [cell.source for cell in lab.setup_cells]
    for answer in answers.values():
        sources.append(answer.partition("\n")[2] if answer.startswith("%%") else answer)
        with suppress(Exception):  # whatever an odd cell makes IPython raise, its kernels are not found here
            sources.append(TransformerManager().transform_cell(answer))
    return frozenset(definition for source in sources for definition in kernel_definitions(source))
