"""What a kernel may say: the part of Python and of triton.language that a GPU knows.

The interpreter runs a kernel as Python, so it would also run numpy, torch or an assignment to somebody else's
attribute, and hide work from whoever counts it. `complaints` reads the module that `lablib.gpu.source.kernel_module`
makes, without running it.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator

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
_PLAIN_IMPORTS = {"math", "torch", "triton", "triton.language"}


def complaints(text: str) -> list[str]:
    """What stands in a kernel's module that no GPU knows, each by its name; empty for an honest kernel.

    Parameters
    ----------
    text
        As `lablib.gpu.source.kernel_module` gives it: imports, constants and ``@triton.jit`` functions.

    Examples
    --------
    >>> complaints("import numpy")
    ['import numpy']
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ["text that is not Python"]
    known = {"tl", "triton", "math"} | set(_names_of_module(body))
    found: list[str] = []
    for statement in body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            found += [] if _import_is_known(statement) else [ast.unparse(statement).split(" as ")[0]]
        elif isinstance(statement, ast.FunctionDef):
            found += _of_kernel(statement, known)
        elif isinstance(statement, ast.Assign):
            found += _of_expression(statement.value, known)
        else:
            found.append(ast.unparse(statement).split("\n")[0][:40])
    return list(dict.fromkeys(found))


def kernel_definitions(source: str) -> dict[str, str]:
    """Every function of ``source`` that ``@triton.jit`` decorates, by name, in a form that comments do not change."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found = {}
    for node in nodes:
        if isinstance(node, ast.FunctionDef) and any("jit" in ast.unparse(d) for d in node.decorator_list):
            node.decorator_list = []
            found[node.name] = ast.dump(node)
    return found


def _names_of_module(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef):
            yield statement.name
        elif isinstance(statement, ast.Assign):
            yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
        elif isinstance(statement, (ast.Import, ast.ImportFrom)) and _import_is_known(statement):
            # torch stands in every module for its dtypes in annotations; a kernel that uses it is refused.
            yield from (a.asname or a.name for a in statement.names if a.name != "torch")


def _import_is_known(statement: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(statement, ast.Import):
        return all(alias.name in _PLAIN_IMPORTS for alias in statement.names)
    from_language = re.fullmatch(r"triton\.language(\.\w+)*", statement.module or "") is not None
    return from_language and all(alias.name in _LANGUAGE for alias in statement.names)


def _of_kernel(kernel: ast.FunctionDef, known: set[str]) -> list[str]:
    if [ast.unparse(d) for d in kernel.decorator_list] != ["triton.jit"]:
        return [f"a function {kernel.name} that is no kernel"]
    stored = {n.id for n in ast.walk(kernel) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    parameters = {a.arg for a in ast.walk(kernel.args) if isinstance(a, ast.arg)}
    names = known | stored | parameters
    found = [text for node in [kernel.args, *kernel.body] for text in _of_expression(node, names)]
    return found + [name for name in sorted(stored | parameters) if name.startswith("__")]


def _of_expression(root: ast.AST, names: set[str]) -> list[str]:
    found = []
    for node in ast.walk(root):
        if not isinstance(node, _STATEMENTS + _EXPRESSIONS):
            found.append(type(node).__name__.lower())
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.id not in names and not (node.id in _BUILTINS and hasattr(builtins, node.id)):
                found.append(node.id)
        elif isinstance(node, ast.Attribute) and not _attribute_is_known(node):
            found.append(ast.unparse(node)[:60])
    return found


def _attribute_is_known(node: ast.Attribute) -> bool:
    if not isinstance(node.ctx, ast.Load):
        return False
    base = ast.unparse(node.value)
    if base in ("tl", "triton.language", "tl.math"):
        return node.attr in _LANGUAGE
    if base in ("triton", "math"):
        return node.attr in (_TRITON if base == "triton" else _MATH)
    return node.attr in _OF_VALUES
