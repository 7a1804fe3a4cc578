"""The source of a Triton kernel as a module that stands on its own.

A kernel written in a notebook cell refers to helpers and constants of that notebook. To compile or interpret it in
another process, its source travels with those of the helpers that it calls and the constants that it reads.
"""

from __future__ import annotations

import dis
import inspect
import re
import textwrap
from functools import lru_cache
from typing import Any

from lablib import device

import triton  # isort: skip  (after lablib.device, which sets TRITON_INTERPRET)
import triton.language as tl  # isort: skip

assert device  # imported for its effect on triton

__all__ = ["first_line", "kernel_module", "kernel_source"]

HEADER = "import math\nimport torch\nimport triton\nimport triton.language as tl\n"


def kernel_source(kernel: Any) -> str:
    """Source of one ``@triton.jit`` function without indentation: line 1 is ``@triton.jit``, line 2 its ``def``."""
    return "@triton.jit\n" + _from_def(kernel)[0]


def first_line(kernel: Any) -> int:
    """Line of the kernel's file that is line 1 of `kernel_source`."""
    return _from_def(kernel)[1] - 1


def _from_def(kernel: Any) -> tuple[str, int]:
    """The text from ``def`` on, and the line of the file on which it starts."""
    return _from_def_of(kernel.fn)


@lru_cache(maxsize=256)
def _from_def_of(function: Any) -> tuple[str, int]:
    lines, first = inspect.getsourcelines(function)
    text = textwrap.dedent("".join(lines))
    start = re.search(r"^def\s+\w+\s*\(", text, re.MULTILINE)
    if start is None:
        raise ValueError(f"{function.__name__} is not a plain function: @triton.jit needs `def name(...)`.")
    return text[start.start() :].rstrip() + "\n", first + text[: start.start()].count("\n")


def is_kernel(value: Any) -> bool:
    """True for what ``@triton.jit`` returns, interpreted or compiled."""
    return isinstance(value, triton.JITFunction) or type(value).__name__ == "InterpretedFunction"


def globals_read(function: Any) -> set[str]:
    """Names that a function reads from outside itself."""
    return _names_read(function.__code__)


def _names_read(code: Any) -> set[str]:
    names = {
        step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_DEREF", "LOAD_NAME")
    }
    for constant in code.co_consts:
        if inspect.iscode(constant):
            names |= _names_read(constant)
    return names


def scope_of(kernel: Any) -> dict[str, Any]:
    """What the names outside a kernel mean: globals, and variables of the function around it."""
    closure = inspect.getclosurevars(kernel.fn).nonlocals
    return {**kernel.fn.__globals__, **closure}


def kernel_module(kernel: Any) -> tuple[str, int]:
    """A module that defines ``kernel`` and all that it uses.

    Returns
    -------
    text : str
        The module.
    line : int
        The line, counted from 1, on which the kernel's own ``@triton.jit`` stands.

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
    parts += [f"\n{text}" for text in helpers.values()]
    before = "".join(parts) + "\n"
    return before + own, before.count("\n") + 1


def _collect(kernel: Any, helpers: dict[str, str], constants: dict[str, str], imports: dict[str, str]) -> None:
    helpers[kernel.fn.__name__] = ""  # seen: ends a recursion
    scope = scope_of(kernel)
    for name in sorted(globals_read(kernel.fn)):
        if name not in scope or name in helpers or name in ("math", "torch", "triton", "tl"):
            continue
        value = scope[name]
        if is_kernel(value):
            if value.fn.__module__.startswith("triton."):
                imports[name] = f"from {value.fn.__module__} import {value.fn.__name__} as {name}\n"
            else:
                if value.fn.__name__ not in helpers:
                    _collect(value, helpers, constants, imports)
                if name != value.fn.__name__:
                    helpers[name] = f"{name} = {value.fn.__name__}\n"
        elif isinstance(value, tl.constexpr):
            constants[name] = f"tl.constexpr({value.value!r})"
        elif isinstance(value, (bool, int, float, str)):
            constants[name] = repr(value) if value not in (float("inf"), float("-inf")) else f"float('{value}')"
        elif isinstance(value, tl.dtype):
            constants[name] = "tl." + re.sub(r"^(b?)fp?", r"\1float", str(value.name))
        elif inspect.ismodule(value) and value.__name__.startswith("triton"):
            imports[name] = f"import {value.__name__} as {name}\n"
        elif (getattr(value, "__module__", "") or "").startswith("triton."):
            imports[name] = f"from {value.__module__} import {value.__name__} as {name}\n"
    # Last, so that helpers stand before the kernel that calls them.
    del helpers[kernel.fn.__name__]
    helpers[kernel.fn.__name__] = kernel_source(kernel)
