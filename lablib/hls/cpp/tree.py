"""The syntax tree: what the subset of C++ has, and no more.

`parse` builds it from clang's tree, with the type of every expression and the line of every construct; `transform`
runs it. Nothing of clang is left in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lablib.hls.cpp.formats import Format

__all__ = ["Block", "Declare", "Evaluate", "Expr", "For", "Function", "If", "Pragma", "Return", "Statement", "Symbol"]


@dataclass(eq=False)
class Symbol:
    """A variable, an array or a parameter.

    Attributes
    ----------
    name, line
        As declared.
    format
        Of a number, or of an array's elements.
    shape
        Extents of an array; empty for a single number.
    constant
        Whether it is declared ``const``.
    reference
        Whether it is a reference: what is done to it is done to the argument.
    initial
        What it starts with: an expression, a nested list of expressions for an array, or None.
    """

    name: str
    line: int
    format: Format
    shape: tuple[int, ...] = ()
    constant: bool = False
    reference: bool = False
    initial: Any = None


@dataclass(frozen=True, eq=False)
class Expr:
    """An expression.

    Attributes
    ----------
    kind
        ``literal`` (data: the integer), ``name`` (data: a `Symbol`), ``element`` (array, index), ``bit`` (value,
        position), ``cast``, ``choice`` (condition, then, else), ``call`` (data: a `Function`), ``min``, ``max``,
        ``abs``, ``assign`` (target, value; data: the operator of a compound assignment, or empty), ``step`` (target;
        data: +1 or -1, and whether the old value is the result), or an operator: ``+ - * / % & | ^ << >> < > <= >= ==
        != && || ! ~ negate``.
    line
        Of the source.
    format
        Of its value; None for an array and for a call that returns nothing.
    operands, data
        What belongs to its kind.
    """

    kind: str
    line: int
    format: Format | None
    operands: tuple[Expr, ...] = ()
    data: Any = None


@dataclass(frozen=True)
class Pragma:
    """``#pragma HLS <name> <options>``; an option without a value is there with an empty one."""

    name: str
    line: int
    options: dict[str, str]


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement at a line."""

    line: int


@dataclass(frozen=True, eq=False)
class Declare(Statement):
    """A variable begins; `symbol.initial` is what it starts with."""

    symbol: Symbol


@dataclass(frozen=True, eq=False)
class Evaluate(Statement):
    """An expression for what it does: an assignment, a step or a call."""

    value: Expr


@dataclass(frozen=True, eq=False)
class Block(Statement):
    """Statements in braces."""

    body: tuple[Statement, ...]


@dataclass(frozen=True, eq=False)
class If(Statement):
    """A branch."""

    condition: Expr
    then: Statement
    otherwise: Statement | None


@dataclass(frozen=True, eq=False)
class For(Statement):
    """A loop over `index`, with its own pragmas and its name (its label, or one made of its line)."""

    index: Symbol
    first: Expr
    condition: Expr
    step: Expr
    body: Statement
    name: str
    pragmas: tuple[Pragma, ...] = ()


@dataclass(frozen=True, eq=False)
class Return(Statement):
    """The end of a function, with its value."""

    value: Expr | None


@dataclass
class Function:
    """A function with its body and the pragmas that stand outside of its loops."""

    name: str
    line: int
    parameters: list[Symbol]
    returned: Format | None
    body: Block
    pragmas: tuple[Pragma, ...] = ()
