"""From HLS C++ to the syntax tree, by clang.

The source is what `lablib.hls.csim` runs. The headers of ap_int and ap_fixed are compiled once and kept, so that a
kernel is read in half a second.
"""

from __future__ import annotations

from typing import Any

from lablib.hls.cpp import pragmas as reading
from lablib.hls.cpp.expressions import Expressions
from lablib.hls.cpp.formats import format_of
from lablib.hls.cpp.refusal import refused
from lablib.hls.cpp.tree import Block, Declare, Evaluate, Expr, For, Function, If, Pragma, Return, Statement, Symbol
from lablib.hls.cpp_source import function_of, parsed, signature_at
from lablib.hls.cpp_types import Signature

__all__ = ["parse"]

_NOT_HERE = {
    "WHILE_STMT": ("a while loop", "write a for loop with a constant number of iterations"),
    "DO_STMT": ("a do loop", "write a for loop with a constant number of iterations"),
    "BREAK_STMT": ("break", "let the loop run on, and guard its statements with an if"),
    "CONTINUE_STMT": ("continue", "guard the rest of the body with an if"),
    "SWITCH_STMT": ("a switch", "write if and else, or a table"),
    "GOTO_STMT": ("goto", "write loops and branches"),
}


def parse(source: str, top: str) -> tuple[Function, Signature]:
    """Read a kernel, and what it takes and gives.

    Raises
    ------
    SourceRefused
        It is no C++.
    OutsideSubset
        It is C++ that does not become hardware here.
    """
    unit = parsed(source)
    cursor = function_of(unit, top)
    return _Parser(unit).function(cursor, 0), signature_at(cursor)


class _Parser:
    def __init__(self, unit: Any) -> None:
        file = unit.spelling
        self.symbols: dict[int, Symbol] = {}
        self.functions: dict[str, Function | None] = {}
        self.pragmas = reading.pragmas_of(unit, file)
        self.constants = {
            each.spelling: each
            for each in unit.cursor.get_children()
            if each.kind.name == "VAR_DECL" and each.location.file and each.location.file.name == file
        }
        self.expressions = Expressions(self.symbol, self.function)

    def function(self, cursor: Any, line: int) -> Function:
        """The function that a definition's cursor stands for."""
        key = cursor.get_usr()
        if key in self.functions:
            found = self.functions[key]
            if found is None:
                raise refused(line, f"{cursor.spelling}, which calls itself,", "write a loop")
            return found
        self.functions[key] = None
        parameters = [self._parameter(each) for each in cursor.get_arguments()]
        body = next((child for child in cursor.get_children() if child.kind.name == "COMPOUND_STMT"), None)
        if body is None:
            raise refused(line, f"the call of {cursor.spelling}, which has no body,", "define it in the source")
        read = self._block(body)
        function = Function(
            cursor.spelling, cursor.location.line, parameters, format_of(cursor.result_type), read,
            self._pragmas(body, in_loop=False),
        )  # fmt: skip
        self.functions[key] = function
        return function

    def symbol(self, cursor: Any, line: int) -> Symbol:
        """The symbol of a declaration; one outside of all functions is read when it is first used."""
        key = cursor.hash
        if key not in self.symbols:
            if cursor.kind.name != "VAR_DECL":
                raise refused(line, f"the name {cursor.spelling}", "use variables, parameters and constants")
            outside = cursor.semantic_parent.kind.name in ("TRANSLATION_UNIT", "NAMESPACE")
            if outside and not _is_constant(cursor.type):
                raise refused(line, f"{cursor.spelling}, a global variable,", "declare it const, or pass it in")
            self._declared(cursor)
        return self.symbols[key]

    def _parameter(self, cursor: Any) -> Symbol:
        kind = cursor.type.get_canonical()
        reference = kind.kind.name == "LVALUEREFERENCE"
        symbol = self._made(cursor, kind.get_pointee() if reference else kind)
        symbol.reference = reference or bool(symbol.shape)
        return symbol

    def _declared(self, cursor: Any) -> Symbol:
        if cursor.storage_class.name == "STATIC" and not _is_constant(cursor.type):
            raise refused(cursor.location.line, f"static {cursor.spelling}", "pass what lives longer as a parameter")
        kind = cursor.type.get_canonical()
        if kind.kind.name == "LVALUEREFERENCE":
            raise refused(cursor.location.line, f"the reference {cursor.spelling}", "write the name that it stands for")
        symbol = self._made(cursor, kind)
        start = _start(cursor)
        if start is not None:
            symbol.initial = self._initial(start, symbol)
        return symbol

    def _made(self, cursor: Any, kind: Any) -> Symbol:
        line, shape = cursor.location.line, []
        kind = kind.get_canonical()
        while kind.kind.name == "CONSTANTARRAY":
            shape.append(kind.element_count)
            kind = kind.element_type.get_canonical()
        format = format_of(kind)
        if format is None:
            what = f"{cursor.spelling} of type {cursor.type.spelling}"
            stream = "hls::stream" in kind.spelling
            raise refused(line, what, "pass an array" if stream else "use ap_int, ap_fixed, integers, bool or arrays")
        if format.overflow not in ("AP_WRAP", "AP_SAT", "AP_SAT_ZERO", "AP_SAT_SYM"):
            raise refused(line, format.overflow, "use AP_WRAP, AP_SAT, AP_SAT_ZERO or AP_SAT_SYM")
        symbol = Symbol(cursor.spelling, line, format, tuple(shape), constant=_is_constant(cursor.type))
        self.symbols[cursor.hash] = symbol
        return symbol

    def _initial(self, node: Any, symbol: Symbol) -> Any:
        while node.kind.name == "UNEXPOSED_EXPR" and symbol.shape and len(list(node.get_children())) == 1:
            node = next(iter(node.get_children()))
        if node.kind.name == "INIT_LIST_EXPR":
            return [self._initial(child, symbol) for child in node.get_children()]
        return self.expressions.read(node)

    def _pragmas(self, body: Any, in_loop: bool) -> tuple[Pragma, ...]:
        """The pragmas whose innermost braces are these."""
        inner = [each for each in _braces(body) if each != body]
        found = []
        for offset, pragma in self.pragmas:
            inside = [each for each in inner if each.extent.start.offset < offset < each.extent.end.offset]
            if body.extent.start.offset < offset < body.extent.end.offset and not inside:
                reading.check(pragma, in_loop)
                found.append(self._expanded(pragma))
        return tuple(found)

    def _expanded(self, pragma: Pragma) -> Pragma:
        """With the names of constants replaced by their numbers."""
        options = dict(pragma.options)
        for name in ("II", "factor", "dim", "latency", "limit"):
            word = options.get(name, "1")
            if word in self.constants:
                symbol = self.symbol(self.constants[word], pragma.line)
                value = symbol.initial
                while isinstance(value, Expr) and value.kind == "cast":
                    value = value.operands[0]
                word = options[name] = str(value.data) if isinstance(value, Expr) else word
            if not word.isdigit() or (int(word) < 1 and name in ("II", "factor", "limit")):
                instead = f"write a positive number, or the name of a global const int, for {name}"
                raise refused(pragma.line, f"{pragma.name} {name}={word}", instead)
        return Pragma(pragma.name, pragma.line, options)

    def _block(self, node: Any) -> Block:
        body = [each for child in node.get_children() for each in self._statements(child)]
        return Block(node.location.line, tuple(body))

    def _statements(self, node: Any, label: str = "") -> list[Statement]:
        line, kind = node.location.line, node.kind.name
        if kind in _NOT_HERE:
            raise refused(line, *_NOT_HERE[kind])
        if kind == "COMPOUND_STMT":
            return [self._block(node)]
        if kind == "DECL_STMT":
            variables = [child for child in node.get_children() if child.kind.name == "VAR_DECL"]
            return [Declare(each.location.line, self._declared(each)) for each in variables]
        if kind == "LABEL_STMT":
            return self._statements(list(node.get_children())[-1], node.spelling)
        if kind == "FOR_STMT":
            return [self._for(node, label)]
        if kind == "IF_STMT":
            children = list(node.get_children())
            branches = [self._one(child) for child in children[1:]]
            condition = self.expressions.read(children[0])
            return [If(line, condition, branches[0], branches[1] if len(branches) > 1 else None)]
        if kind == "RETURN_STMT":
            value = next(iter(node.get_children()), None)
            return [Return(line, None if value is None else self.expressions.read(value))]
        if kind == "NULL_STMT":
            return []
        return [Evaluate(line, self.expressions.read(node))]

    def _one(self, node: Any) -> Statement:
        found = self._statements(node)
        return found[0] if len(found) == 1 else Block(node.location.line, tuple(found))

    def _for(self, node: Any, label: str) -> For:
        line, parts = node.location.line, list(node.get_children())
        declared = list(parts[0].get_children()) if parts and parts[0].kind.name == "DECL_STMT" else []
        if len(parts) != 4 or len(declared) != 1:
            raise refused(line, "a loop of this form", "write for (int i = 0; i < 8; i++) with constant bounds")
        index = self._declared(declared[0])
        first = index.initial
        if not isinstance(first, Expr):
            raise refused(line, f"the loop index {index.name} without a start", "write int i = 0")
        index.initial = None
        condition, step = self.expressions.read(parts[1]), self.expressions.read(parts[2])
        braces = parts[3].kind.name == "COMPOUND_STMT"
        inside = [
            each for offset, each in self.pragmas if parts[3].extent.start.offset > offset > node.extent.start.offset
        ]
        if inside:
            where = "write it as the first line inside the loop's braces"
            raise refused(inside[0].line, f"{inside[0].name} between a loop's head and its body", where)
        pragmas = self._pragmas(parts[3], in_loop=True) if braces else ()
        return For(line, index, first, condition, step, self._one(parts[3]), label or f"line {line}", pragmas)


def _braces(node: Any) -> list[Any]:
    """The bodies of the loops and functions at or below a cursor: braces to which a pragma can belong."""
    return [each for each in node.walk_preorder() if each.kind.name == "COMPOUND_STMT"]


def _start(cursor: Any) -> Any:
    """The expression that a variable starts with; others that clang lists are the extents in its type."""
    last = [child for child in cursor.get_children() if child.kind.is_expression()][-1:]
    if last and last[0].kind.name == "CALL_EXPR" and list(last[0].get_arguments()):
        return last[0]
    offsets = [(token.spelling, token.location.offset) for token in cursor.get_tokens()]
    behind = [offset for spelling, offset in offsets if spelling in ("=", "{") and offset > cursor.location.offset]
    return last[0] if last and behind and last[0].extent.start.offset >= behind[0] else None


def _is_constant(kind: Any) -> bool:
    return kind.get_canonical().spelling.startswith("const ")
