"""The source of a Triton kernel as a module that stands on its own.

A kernel written in a notebook cell refers to helpers and constants of that notebook. To compile or interpret it in
another process, its source travels with those of the helpers that it calls and the constants that it reads.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any

import triton
import triton.language as tl

__all__ = ["kernel_module", "kernel_source"]

HEADER = "import math\nimport torch\nimport triton\nimport triton.language as tl\n"


def kernel_source(kernel: Any) -> str:
    """Source of one ``@triton.jit`` function from its ``def`` line on, without decorators or indentation."""
    text = textwrap.dedent(inspect.getsource(kernel.fn))
    start = re.search(r"^def\s+\w+\s*\(", text, re.MULTILINE)
    if start is None:
        raise ValueError(f"{kernel.fn.__name__} is not a plain function: @triton.jit needs `def name(...)`.")
    return text[start.start() :].rstrip() + "\n"


def is_kernel(value: Any) -> bool:
    """True for what ``@triton.jit`` returns, interpreted or compiled."""
    return isinstance(value, triton.JITFunction) or type(value).__name__ == "InterpretedFunction"


def _names_read(code: Any) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if inspect.iscode(constant):
            names |= _names_read(constant)
    return names


def kernel_module(kernel: Any) -> tuple[str, int]:
    """A module that defines ``kernel`` and all that it uses.

    Returns
    -------
    text : str
        The module.
    line : int
        The line, counted from 1, on which the kernel's own ``def`` stands.

    Notes
    -----
    Of the kernel's globals, numbers, strings, triton dtypes, modules of triton and other kernels travel. Anything
    else is a NameError where the module runs, as it would be for Triton's compiler.
    """
    helpers: dict[str, str] = {}
    constants: dict[str, str] = {}
    imports: dict[str, str] = {}
    _collect(kernel, helpers, constants, imports)
    own = helpers.pop(kernel.fn.__name__)
    parts = [HEADER, *imports.values(), *(f"{name} = {text}\n" for name, text in constants.items())]
    parts += [f"\n@triton.jit\n{text}" for text in helpers.values()]
    before = "".join(parts) + "\n@triton.jit\n"
    return before + own, before.count("\n") + 1


def _collect(kernel: Any, helpers: dict[str, str], constants: dict[str, str], imports: dict[str, str]) -> None:
    helpers[kernel.fn.__name__] = ""  # seen: ends a recursion
    scope = {**kernel.fn.__globals__, **inspect.getclosurevars(kernel.fn).nonlocals}
    for name in sorted(_names_read(kernel.fn.__code__)):
        if name not in scope or name in helpers or name in ("math", "torch", "triton", "tl"):
            continue
        value = scope[name]
        if is_kernel(value):
            if value.fn.__module__.startswith("triton."):
                imports[name] = f"from {value.fn.__module__} import {value.fn.__name__} as {name}\n"
            else:
                _collect(value, helpers, constants, imports)
        elif isinstance(value, tl.constexpr):
            constants[name] = f"tl.constexpr({value.value!r})"
        elif isinstance(value, (bool, int, float, str)):
            constants[name] = repr(value) if value not in (float("inf"), float("-inf")) else f"float('{value}')"
        elif isinstance(value, tl.dtype):
            constants[name] = "tl." + re.sub(r"^(b?)fp?", r"\1float", str(value.name))
        elif inspect.ismodule(value) and value.__name__.startswith("triton"):
            imports[name] = f"import {value.__name__} as {name}\n"
    # Last, so that helpers stand before the kernel that calls them.
    del helpers[kernel.fn.__name__]
    helpers[kernel.fn.__name__] = kernel_source(kernel)
