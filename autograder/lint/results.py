"""What a call in a test cell returns, as far as its name tells."""

from __future__ import annotations

import ast

from autograder.lint.assertions import CHECK
from autograder.lint.origins import CALLABLE, NONE, Origin, Origins, called_name, items, mixed
from autograder.lint.randomness import is_draw

CALLED = CALLABLE | {Origin.PART, Origin.CLAIM}
"""Whatever is called of these runs on the student's side."""
PARTS = frozenset(
    f"{named}{part}" for named in ("", "named_") for part in ("buffers", "children", "modules", "parameters")
)
RETURN_SELF = frozenset({"cpu", "cuda", "double", "eval", "float", "half", "requires_grad_", "to", "train"})
COLLECTIONS = frozenset({"dict", "list", "next", "set", "sorted", "tuple"})
ITERATORS = frozenset({"enumerate", "filter", "iter", "map", "open", "reversed", "zip"})


def student_result(call: ast.Call, function: Origins, receiver: Origins, makers: frozenset[str]) -> Origins:
    """Origins of what a call on the student's side returns.

    Parameters
    ----------
    call
    function
        Origins of what is called: one of `CALLED`.
    receiver
        Of the object whose method it is.
    makers
        Functions that return an instance of a student's class.
    """
    if Origin.CLASS in function or called_name(call) in makers:
        return frozenset({Origin.OBJECT})
    method = call.func.attr if isinstance(call.func, ast.Attribute) and Origin.PART in function else ""
    if method in PARTS:
        return frozenset({Origin.PART})
    return receiver if method in RETURN_SELF else frozenset({Origin.ANSWER})


def library_result(name: str, dotted: str, function: Origins, given: Origins) -> Origins:
    """Origins of what any other call returns.

    Parameters
    ----------
    name, dotted
        Plain name, and full name through an import, of what is called; empty where it has none.
    function, given
        Origins of what is called, and of all arguments.
    """
    if is_draw(dotted):
        return frozenset({Origin.DRAWN})
    if dotted == f"{CHECK}inout":
        return given
    if dotted.startswith(CHECK):
        return frozenset({Origin.ANSWER}) if given & CALLABLE else NONE
    if name in COLLECTIONS:
        return items(given)
    if name in ITERATORS or dotted.startswith("itertools."):
        return items(given) | {Origin.LAZY}
    return frozenset({Origin.LOCAL}) if dotted == "functools.partial" else mixed(function | given)
