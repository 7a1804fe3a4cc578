"""Which of its parameters a C++ function writes.

A parameter is written where it stands on the left of an assignment, is incremented, is a stream that is written to,
is bound to a reference that may change, or is handed to a function that writes it. These are a kernel's results.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["operator_kind", "written"]

_ASSIGNING = {f"operator{sign}=" for sign in ["", *"+-*/%&|^", "<<", ">>"]} | {"operator++", "operator--"}
_WRITING_METHODS = {"write", "write_nb", "set", "clear", "invert", "set_bit", "b_not", "lrotate", "rrotate", "reverse"}
_ASSIGN = 22  # CXBinaryOperator_Assign
_INCREMENTS = range(1, 5)  # CXUnaryOperator_PostInc, PostDec, PreInc, PreDec


def written(function: Any, _seen: frozenset[str] = frozenset()) -> set[str]:
    """Names of the parameters that a function writes.

    Parameters
    ----------
    function
        libclang's cursor of its definition.
    """
    own = {parameter.spelling for parameter in function.get_arguments()}
    seen = _seen | {function.get_usr()}
    targets = (target for node in function.walk_preorder() for target in _targets(node, seen))
    return {name for name in map(_parameter, targets) if name in own}


def _targets(node: Any, seen: frozenset[str]) -> Iterator[Any]:
    """The expressions that `node` writes."""
    children = list(node.get_children())
    kind = node.kind.name
    if (
        kind == "COMPOUND_ASSIGNMENT_OPERATOR"
        or (kind == "BINARY_OPERATOR" and operator_kind(node, "Binary") == _ASSIGN)
        or (kind == "UNARY_OPERATOR" and operator_kind(node, "Unary") in _INCREMENTS)
    ):
        yield children[0]
    elif kind == "VAR_DECL" and _may_change(node.type) and children:
        yield children[-1]
    elif kind == "CALL_EXPR" and node.referenced is not None:
        yield from _targets_of_call(node, children, seen)


def _targets_of_call(node: Any, children: list[Any], seen: frozenset[str]) -> Iterator[Any]:
    called = node.referenced.get_definition() or node.referenced
    name = called.spelling
    if name in _ASSIGNING or (name == "operator<<" and _is_stream(children[0])):
        yield children[0]
    elif name == "operator>>" and _is_stream(children[0]):
        yield children[-1]
    elif called.kind.name == "CXX_METHOD" and name in _WRITING_METHODS:
        yield children[0]
    elif not name.startswith("operator") and called.kind.name not in ("CONSTRUCTOR", "DESTRUCTOR"):
        pairs = zip(node.get_arguments(), called.get_arguments(), strict=False)
        changeable = [(argument, parameter) for argument, parameter in pairs if _may_change(parameter.type)]
        if changeable and called.get_usr() not in seen:
            known = written(called, seen) if _has_body(called) else None
            yield from (argument for argument, parameter in changeable if known is None or parameter.spelling in known)


def _parameter(node: Any) -> str:
    """The name of the parameter that an expression is a part of, else nothing."""
    while node is not None and node.kind.name != "DECL_REF_EXPR":
        node = next(iter(node.get_children()), None)
    if node is None or node.referenced is None or node.referenced.kind.name != "PARM_DECL":
        return ""
    return node.spelling


def _may_change(kind: Any) -> bool:
    """Whether a parameter of this type can change what it is given."""
    canonical = kind.get_canonical()
    if canonical.kind.name in ("POINTER", "LVALUEREFERENCE"):
        return not canonical.get_pointee().is_const_qualified()
    return "ARRAY" in canonical.kind.name and not canonical.is_const_qualified()


def _is_stream(node: Any) -> bool:
    return node.type.get_canonical().spelling.startswith("hls::stream<")


def _has_body(function: Any) -> bool:
    return any(child.kind.name == "COMPOUND_STMT" for child in function.get_children())


def operator_kind(node: Any, arity: str) -> int:
    """Which built-in operator it is, in libclang's numbers; `arity` is "Unary" or "Binary".

    libclang knows since version 17, its Python module only later.
    """
    import ctypes

    from clang import cindex

    ask = getattr(cindex.conf.lib, f"clang_getCursor{arity}OperatorKind")
    ask.argtypes, ask.restype = [cindex.Cursor], ctypes.c_int
    return ask(node)
