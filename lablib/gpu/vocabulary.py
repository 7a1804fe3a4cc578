"""What a kernel may say: the part of Python and of triton.language that a GPU knows.

The interpreter runs a kernel as Python, so it would also run numpy, torch or an assignment to somebody else's
attribute, and hide work from whoever counts it. `complaints` reads the module that `lablib.gpu.source.kernel_module`
makes, without running it.
"""

from __future__ import annotations

import ast
import builtins
import io
import re
import tokenize
from collections.abc import Iterator
from functools import lru_cache

from lablib import device

import triton.language as tl  # isort: skip  (after lablib.device, which sets TRITON_INTERPRET)

__all__ = ["complaints", "kernel_definitions"]

assert device  # imported for its effect on triton

_STATEMENTS = (
    ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.For, ast.While, ast.If, ast.Return, ast.Pass, ast.Assert,
    ast.Raise, ast.Break, ast.Continue,
)  # fmt: skip
_EXPRESSIONS = (
    ast.IfExp, ast.Call, ast.keyword, ast.Name, ast.Attribute, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp,
    ast.Compare, ast.Tuple, ast.List, ast.Subscript, ast.Slice, ast.Starred, ast.JoinedStr, ast.FormattedValue,
    ast.NamedExpr, ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.arguments, ast.arg,
)  # fmt: skip
_BUILTINS = {
    "range", "min", "max", "abs", "len", "float", "int", "bool", "print", "AssertionError", "NotImplementedError",
}  # fmt: skip
_MATH = {"pi", "e", "tau", "inf", "nan", "log", "log2", "log10", "exp", "sqrt", "ceil", "floor"}
_TRITON = {"language", "jit", "cdiv", "next_power_of_2"}
_NOT_FOR_KERNELS = {
    "core", "extra", "standard", "semantic", "inline_asm_elementwise", "map_elementwise", "tensor", "tensor_descriptor",
    "str_to_ty", "target_info",
}  # fmt: skip
_LANGUAGE = {name for name in dir(tl) if not name.startswith("_")} - _NOT_FOR_KERNELS
_OF_TYPES = {
    "element_ty", "scalar", "name", "shape", "dtype", "type", "numel", "value", "T", "int_bitwidth",
    "primitive_bitwidth", "itemsize", "block_shape", "strides",
}  # fmt: skip
_OF_VALUES = (
    {name for kind in (tl.tensor, tl.tensor_descriptor, tl.constexpr) for name in dir(kind) if not name.startswith("_")}
    | {name for name in dir(tl.dtype) if name.startswith("is_")}
    | _OF_TYPES
)
_OF_MODULES = {
    "math": _MATH, "triton": _TRITON, "triton.language": _LANGUAGE, "triton.language.math": _LANGUAGE, "torch": set(),
}  # fmt: skip
_MEANINGS = {"math": "math", "torch": "torch", "triton": "triton", "tl": "triton.language"}
_IN_CONSTANTS = (
    ast.Constant, ast.UnaryOp, ast.unaryop, ast.Tuple, ast.List, ast.Name, ast.Attribute, ast.Call, ast.expr_context,
)  # fmt: skip
_IN_ANNOTATIONS = (
    ast.Constant, ast.Tuple, ast.List, ast.Name, ast.Attribute, ast.Subscript, ast.BinOp, ast.BitOr, ast.expr_context,
)  # fmt: skip
_TYPES = {"bool", "float", "int", "str", "torch"}


@lru_cache(maxsize=256)
def complaints(text: str) -> tuple[str, ...]:
    """What stands in a kernel's module that no GPU knows, each by its name; empty for an honest kernel.

    Parameters
    ----------
    text
        As `lablib.gpu.source.kernel_module` gives it: imports, constants and ``@triton.jit`` functions.

    Examples
    --------
    >>> complaints("import numpy")
    ('import numpy',)
    """
    try:
        body = ast.parse(text).body
        return tuple(dict.fromkeys([*_of_text(text, body), *_of_module(body)]))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ("text that is not Python",)


@lru_cache(maxsize=256)
def kernel_definitions(source: str) -> dict[str, str]:
    """Names of the functions that ``triton.jit`` makes kernels, as a decorator or by a call, by their definitions.

    A definition is in a form that comments, docstrings and the place do not change; several may have one name.
    """
    try:
        nodes = list(ast.walk(ast.parse(source)))
        calls = (node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("jit"))
        passed = {argument.id for call in calls for argument in call.args if isinstance(argument, ast.Name)}
        return {
            _form(node): node.name for node in nodes if isinstance(node, ast.FunctionDef)
            and (node.name in passed or any("jit" in ast.unparse(decorator) for decorator in node.decorator_list))
        }  # fmt: skip
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def _form(function: ast.FunctionDef) -> str:
    bare = ast.FunctionDef(**{name: getattr(function, name) for name in function._fields})
    bare.decorator_list = []
    if ast.get_docstring(function, clean=False) is not None:
        bare.body = function.body[1:]
    return ast.dump(bare)


def _of_text(text: str, body: list[ast.stmt]) -> Iterator[str]:
    """What Python reads otherwise than a parser of the text: Triton looks for the last line that begins with def."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(text.encode()).readline)
    if encoding not in ("utf-8", "utf-8-sig"):
        yield f"the encoding {encoding}"
    seen = {number for number, line in enumerate(io.StringIO(text, newline=None), 1) if line.strip().startswith("def ")}
    if seen != {statement.lineno for statement in body if isinstance(statement, ast.FunctionDef)}:
        yield "a line that begins with def and defines no kernel"


def _of_module(body: list[ast.stmt]) -> Iterator[str]:
    modules = dict(_modules_of(body))
    bound = [name for statement in body for name in _names_bound(statement)]
    for statement in body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            yield from [] if _import_is_known(statement) else [ast.unparse(statement).split(" as ")[0]]
        elif isinstance(statement, ast.FunctionDef):
            yield from _of_kernel(statement, {*bound, *modules}, modules)
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            yield from _of_constant(statement, {*bound, *modules}, modules)
        else:
            yield ast.unparse(statement).split("\n")[0][:40]
    yield from (f"two meanings of {name}" for name in bound if bound.count(name) > 1 or name in {*modules, *_MEANINGS})


def _modules_of(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """The modules that the text imports, by the names that they get."""
    for statement in body:
        if isinstance(statement, ast.Import) and _import_is_known(statement):
            for alias in statement.names:
                first = alias.name.split(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (first, first)


def _names_bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef):
        yield statement.name
    elif isinstance(statement, ast.Assign):
        yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
    elif isinstance(statement, ast.ImportFrom) and _import_is_known(statement):
        yield from (alias.asname or alias.name for alias in statement.names)


def _import_is_known(statement: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(statement, ast.Import):
        return all(a.name in _OF_MODULES and _MEANINGS.get(a.asname or "", a.name) == a.name for a in statement.names)
    from_language = re.fullmatch(r"triton\.language(\.\w+)*", statement.module or "") is not None
    return from_language and all(alias.name in _LANGUAGE for alias in statement.names)


def _of_kernel(kernel: ast.FunctionDef, known: set[str], modules: dict[str, str]) -> list[str]:
    if [ast.unparse(d) for d in kernel.decorator_list] != ["triton.jit"]:
        return [f"a function {kernel.name} that is no kernel"]
    stored = {n.id for n in ast.walk(kernel) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    own = stored | {a.arg for a in ast.walk(kernel.args) if isinstance(a, ast.arg)}
    reader = _Reader(known | own, modules)
    for node in [kernel.args, *kernel.body]:
        reader.visit(node)
    reader.read_annotation(kernel.returns)
    odd = [name for name in sorted(own) if name.startswith("__") or name in modules]
    return reader.found + odd


def _of_constant(statement: ast.Assign, known: set[str], modules: dict[str, str]) -> list[str]:
    """A module may compute nothing when it is imported: its constants are written out."""
    calls = [ast.unparse(n.func) for n in ast.walk(statement.value) if isinstance(n, ast.Call)]
    written_out = all(isinstance(node, _IN_CONSTANTS) for node in ast.walk(statement.value))
    if len(statement.targets) > 1 or not written_out or not set(calls) <= {"float", "tl.constexpr"}:
        return [ast.unparse(statement).split("\n")[0][:40]]
    reader = _Reader(known, modules)
    reader.visit(statement.value)
    return reader.found


class _Reader(ast.NodeVisitor):
    """Collects in ``found`` what a kernel may not say."""

    def __init__(self, names: set[str], modules: dict[str, str]) -> None:
        self.names, self.modules = names, modules
        self.found: list[str] = []

    def generic_visit(self, node: ast.AST) -> None:
        if isinstance(node, _STATEMENTS + _EXPRESSIONS):
            super().generic_visit(node)
        else:
            self.found.append(type(node).__name__.lower())

    def visit_Name(self, node: ast.Name) -> None:
        is_known = node.id in self.names or (node.id in _BUILTINS and hasattr(builtins, node.id))
        if self.modules.get(node.id) == "torch" or (isinstance(node.ctx, ast.Load) and not is_known):
            self.found.append(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        allowed = _OF_MODULES.get(self._module(node.value), _OF_VALUES)
        if node.attr not in allowed or not isinstance(node.ctx, ast.Load):
            self.found.append(ast.unparse(node)[:60])
        self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        self.read_annotation(node.annotation)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.read_annotation(node.annotation)
        for part in (node.target, node.value):
            if part is not None:
                self.visit(part)

    def read_annotation(self, annotation: ast.expr | None) -> None:
        """Names of types: Python evaluates them, so nothing that does anything."""
        if annotation is None:
            return
        for node in ast.walk(annotation):
            named = not isinstance(node, ast.Name) or node.id in self.names | _TYPES
            public = not isinstance(node, ast.Attribute) or not node.attr.startswith("_")
            if not (isinstance(node, _IN_ANNOTATIONS) and named and public):
                self.found.append(ast.unparse(annotation)[:60])

    def _module(self, node: ast.expr) -> str:
        """The module that an expression names, or an empty string."""
        if isinstance(node, ast.Name):
            return self.modules.get(node.id, "")
        if isinstance(node, ast.Attribute):
            name = f"{self._module(node.value)}.{node.attr}"
            return name if name in _OF_MODULES else ""
        return ""
