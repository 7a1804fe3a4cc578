"""From clang's expressions to those of the syntax tree.

clang shows every conversion that C++ makes without being asked; each becomes a cast, or nothing where both sides spell
numbers alike. Operators of ap_int and ap_fixed are calls of functions for clang, and operators here.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from lablib.hls.cpp.formats import BOOLEAN, INT, Format, format_of
from lablib.hls.cpp.refusal import refused
from lablib.hls.cpp.tree import Expr
from lablib.hls.cpp_constants import evaluated
from lablib.hls.cpp_source import FILE
from lablib.hls.cpp_writes import operator_kind

__all__ = ["Expressions"]

_WRAPPERS = {
    "UNEXPOSED_EXPR", "PAREN_EXPR", "CXX_FUNCTIONAL_CAST_EXPR", "CSTYLE_CAST_EXPR", "CXX_STATIC_CAST_EXPR",
}  # fmt: skip
# libclang's numbers of the built-in operators
_BINARY = dict(enumerate([
    "*", "/", "%", "+", "-", "<<", ">>", "<=>", "<", ">", "<=", ">=", "==", "!=", "&", "^", "|", "&&", "||",
], start=3))  # fmt: skip
_ASSIGN = 22
_COMPOUND = dict(enumerate(["*", "/", "%", "+", "-", "<<", ">>", "&", "^", "|"], start=23))
_UNARY = {1: (1, True), 2: (-1, True), 3: (1, False), 4: (-1, False), 7: "+", 8: "negate", 9: "~", 10: "!"}
_SIGNS = {*"+-*/%&|^~!<>", "<<", ">>", "<=", ">=", "==", "!="}
_CASTS = {"to_int", "to_uint", "to_int64", "to_uint64", "to_bool", "to_ap_int_base"}
_LIBRARY = {"min", "max", "abs"}


class Expressions:
    """Turns clang's cursors into expressions.

    Parameters
    ----------
    symbol
        Gives the `Symbol` of a declaration's cursor.
    function
        Gives the `Function` of a definition's cursor.
    """

    def __init__(self, symbol: Callable[[Any, int], Any], function: Callable[[Any, int], Any]) -> None:
        self.symbol, self.function = symbol, function

    def read(self, node: Any) -> Expr:
        """The expression at a cursor."""
        line, kind = node.location.line, node.kind.name
        format = format_of(node.type)
        if kind in _WRAPPERS:
            inner = self.read(list(node.get_children())[-1])
            return _cast(inner, format, line)
        if kind in ("INTEGER_LITERAL", "FLOATING_LITERAL", "CXX_BOOL_LITERAL_EXPR", "CHARACTER_LITERAL"):
            return _constant(node, line)
        if kind == "DECL_REF_EXPR":
            return self._name(node, format, line)
        if kind == "ARRAY_SUBSCRIPT_EXPR":
            array, index = (self.read(child) for child in node.get_children())
            return Expr("element", line, format, (array, index))
        if kind == "CONDITIONAL_OPERATOR":
            condition, then, otherwise = (self.read(child) for child in node.get_children())
            return Expr("choice", line, format, (_cast(condition, BOOLEAN, line), then, otherwise))
        if kind in ("BINARY_OPERATOR", "COMPOUND_ASSIGNMENT_OPERATOR"):
            return self._binary(node, format, line)
        if kind == "UNARY_OPERATOR":
            return self._unary(node, format, line)
        if kind == "CALL_EXPR":
            return self._call(node, format, line)
        raise refused(line, _words(kind), "write it with variables, arrays, operators and calls of your own functions")

    def _name(self, node: Any, format: Format | None, line: int) -> Expr:
        declared = node.referenced
        if declared is not None and declared.kind.name in ("VAR_DECL", "PARM_DECL"):
            return Expr("name", line, format, (), self.symbol(declared, line))
        if declared is not None and declared.kind.name == "ENUM_CONSTANT_DECL":
            return Expr("literal", line, INT, (), declared.enum_value)
        return _constant(node, line)

    def _binary(self, node: Any, format: Format | None, line: int) -> Expr:
        sign = operator_kind(node, "Binary")
        if node.type.get_canonical().kind.name in ("DOUBLE", "FLOAT"):
            return _constant(node, line)
        left, right = (self.read(child) for child in node.get_children())
        if sign == _ASSIGN or sign in _COMPOUND:
            return Expr("assign", line, format, (left, right), _COMPOUND.get(sign, ""))
        if sign not in _BINARY:
            raise refused(line, "the operator ',' or '<=>'", "write two statements")
        if _BINARY[sign] in ("&&", "||"):
            left, right = _cast(left, BOOLEAN, line), _cast(right, BOOLEAN, line)
        return Expr(_BINARY[sign], line, format, (left, right))

    def _unary(self, node: Any, format: Format | None, line: int) -> Expr:
        if node.type.get_canonical().kind.name in ("DOUBLE", "FLOAT"):
            return _constant(node, line)
        sign = _UNARY.get(operator_kind(node, "Unary"))
        if sign is None:
            raise refused(line, "a pointer", "write the array's name and an index")
        operand = self.read(next(iter(node.get_children())))
        if isinstance(sign, tuple):
            return Expr("step", line, format, (operand,), sign)
        if sign == "!":
            operand = _cast(operand, BOOLEAN, line)
        return operand if sign == "+" else Expr(sign, line, format, (operand,))

    def _call(self, node: Any, format: Format | None, line: int) -> Expr:
        called, name = node.referenced, node.spelling
        arguments = list(node.get_arguments())
        if called is None:
            return _constant(node, line)
        if called.kind.name == "CONSTRUCTOR":
            return self._constructed(node, format, line, arguments)
        if called.kind.name == "CONVERSION_FUNCTION" or name in _CASTS:
            return _cast(self.read(_object(node)), format, line)
        if name in ("length", "width"):
            measured = self.read(_object(node)).format
            return Expr("literal", line, INT, (), measured.width if measured else 0)
        if name.startswith("operator"):
            return self._operator(name.removeprefix("operator"), arguments, format, line)
        if name in _LIBRARY and _of_library(called):
            return Expr(name, line, format, tuple(self.read(each) for each in arguments))
        definition = called.get_definition()
        if definition is None or called.kind.name == "CXX_METHOD" or _of_library(called):
            raise refused(line, f"the call of {name}", "write it with operators, a table, or a function of your own")
        values = tuple(self.read(each) for each in arguments)
        return Expr("call", line, format, values, self.function(definition, line))

    def _constructed(self, node: Any, format: Format | None, line: int, arguments: list[Any]) -> Expr:
        if format is None:
            raise refused(line, f"an object of type {node.type.spelling}", "use numbers and arrays of numbers")
        if not arguments:
            return Expr("literal", line, format, (), 0)
        if len(arguments) > 1 or arguments[0].type.get_canonical().kind.name == "POINTER":
            raise refused(line, "a number made from text or from several values", "make it from one number")
        return _cast(self.read(arguments[0]), format, line)

    def _operator(self, sign: str, arguments: list[Any], format: Format | None, line: int) -> Expr:
        first = self.read(arguments[0])
        if sign in ("++", "--"):
            step = 1 if sign == "++" else -1
            return Expr("step", line, format, (first,), (step, len(arguments) == 2))
        if len(arguments) == 1 and sign in "-+~!":
            return first if sign == "+" else Expr("negate" if sign == "-" else sign, line, format, (first,))
        second = self.read(arguments[1]) if len(arguments) == 2 else None
        if second is not None and sign == "[]":
            return Expr("bit", line, BOOLEAN, (first, second))
        if second is not None and sign in _SIGNS:
            return Expr(sign, line, format, (first, second))
        if second is not None and sign.endswith("="):
            return Expr("assign", line, first.format, (first, second), sign[:-1])
        raise refused(line, f"operator {sign}", "shift and mask instead of taking a range of bits")


def _cast(inner: Expr, format: Format | None, line: int) -> Expr:
    if format is None or inner.format is None or format == inner.format:
        return inner
    return Expr("cast", line, format, (inner,))


def _object(node: Any) -> Any:
    member = next(iter(node.get_children()))
    return next(iter(member.get_children()))


def _of_library(declared: Any) -> bool:
    return declared.location.file is None or declared.location.file.name != FILE


def _constant(node: Any, line: int) -> Expr:
    """A number that clang can work out; one with a binary point gets as many bits as it needs, so that it is exact."""
    number = evaluated(node)
    if isinstance(number, int):
        return Expr("literal", line, format_of(node.type) or INT, (), number)
    if number is None:
        changes = node.kind.name != "DECL_REF_EXPR"
        raise refused(line, "a float or double that is no constant" if changes else node.spelling, "use ap_fixed")
    exact = Fraction(number)
    fraction = exact.denominator.bit_length() - 1
    width = max(exact.numerator.bit_length(), 1) + 1
    return Expr("literal", line, Format(width, fraction, fixed=True), (), exact.numerator)


def _words(kind: str) -> str:
    return f"a {kind.lower().replace('_', ' ').removesuffix(' expr')}"
