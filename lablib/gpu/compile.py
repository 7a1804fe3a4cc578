"""Take a kernel down to machine code, for GPUs that are not there.

Triton brings its whole compiler along: Python -> TTIR -> TTGIR -> LLVM IR -> PTX -> SASS. Only running the result needs
a GPU. `compile_stages` compiles the kernels that a function launches exactly as the launch would, for any target, and
reads from the result what decides speed: registers, spills, shared memory, instructions.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from lablib.gpu.launch import Launch, launches_of
from lablib.gpu.source import kernel_module, kernel_source
from lablib.gpu.worker import Worker

__all__ = ["TARGETS", "CompileError", "Compiled", "compile_launch", "compile_stages"]

TARGETS = ("sm_80", "sm_90", "sm_100")
"""Ampere (A100), Hopper (H100, H200), Blackwell (B200)."""

_FORMAT = 1
"""Of the files in the cache: count it up when `Compiled`, or what is read out of what the compiler says, changes."""
_compiler = Worker("lablib.gpu.compile_worker:compile_request", {"TRITON_INTERPRET": None})


class CompileError(ValueError):
    """The kernel does not compile for the target; the message is the compiler's own."""


@dataclass(frozen=True)
class Compiled:
    """One kernel, compiled for one target.

    Attributes
    ----------
    kernel, target, source
        Name; ``"sm_90"`` and the like; the kernel's Python source, ``@triton.jit`` being line 1.
    stages
        Text by stage: ``ttir``, ``ttgir``, ``llir``, ``ptx``, ``sass``.
    line_map
        By stage, for each line of its text the line of ``source`` that it came from, or 0.
    registers
        32-bit registers a thread.
    spill_bytes
        Bytes a thread that did not fit into registers and live in local memory.
    shared_bytes
        Shared memory a program, in bytes.
    num_warps
        Warps a program, of 32 threads each.
    """

    kernel: str
    target: str
    source: str
    stages: dict[str, str]
    line_map: dict[str, list[int]]
    registers: int
    spill_bytes: int
    shared_bytes: int
    num_warps: int
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def instructions(self) -> Counter[str]:
        """How often each opcode stands in the SASS, modifiers left off: ``HGMMA``, ``LDG``, ``BAR`` ..."""
        opcode = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*)", re.MULTILINE)
        return Counter(opcode.findall(self.stages["sass"]))


def argument_type(value: Any) -> tuple[str, Any]:
    """Triton's type of a launch argument, and what the compiler may assume of it.

    Returns
    -------
    type : str
        ``"*fp16"`` for a float16 tensor, ``"i32"`` for an int, ``"fp32"`` for a float, ``"constexpr"`` for 1 and None,
        ``"tensordesc<fp16[128, 64]>"`` for a descriptor of a float16 tensor in blocks of 128 × 64.
    assumption : int, None or "constant"
        16 when the address or the value is a multiple of 16, which lets the compiler load 16 bytes at a time.
    """
    if value is None or (type(value) is int and value == 1):
        return "constexpr", "constant"
    if isinstance(value, bool):
        return "i1", None
    if isinstance(value, int):
        wide = "i32" if -(2**31) <= value < 2**31 else "i64"
        return wide, 16 if value % 16 == 0 else None
    if isinstance(value, float):
        return "fp32", None
    if isinstance(value, torch.Tensor):
        aligned = (value.storage_offset() * value.element_size()) % 16 == 0
        return f"*{_dtype_name(value.dtype)}", 16 if aligned else None
    if type(value).__name__ == "TensorDescriptor":
        return f"tensordesc<{_dtype_name(value.base.dtype)}{list(value.block_shape)}>", None
    raise CompileError(
        f"An argument of type {type(value).__name__} cannot be compiled for; expected a tensor, a tensor descriptor "
        "or a number."
    )


def _dtype_name(dtype: torch.dtype) -> str:
    """Triton's name: ``"fp16"``, ``"bf16"``, ``"i32"``, ``"u8"``, ``"fp8e4nv"``."""
    name = str(dtype).removeprefix("torch.")
    names = {"bfloat16": "bf16", "bool": "i1", "float8_e4m3fn": "fp8e4nv", "float8_e5m2": "fp8e5"}
    return names.get(name) or re.sub(r"^uint", "u", re.sub(r"^int", "i", re.sub(r"^float", "fp", name)))


def compile_launch(launch: Launch, target: str = "sm_90") -> Compiled:
    """Compile the kernel of ``launch`` for ``target``, specialised as the launch would be. Cached on disk.

    Raises
    ------
    CompileError
        With the compiler's message, or if the target is unknown.
    """
    request = _request(launch, target)
    named = json.dumps({**request, "format": _FORMAT}, sort_keys=True)
    path = cache_folder() / f"{hashlib.sha256(named.encode()).hexdigest()[:32]}.json"
    known = _read(path)
    if known is not None:
        return known
    answer = _compiler.call(request)
    if "error" in answer:
        raise CompileError(f"{launch.name} does not compile for {target}: {answer['error']}")
    compiled = Compiled(
        kernel=launch.name,
        target=target,
        source=kernel_source(launch.kernel),
        options=request["options"],
        **answer,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        json.dump(asdict(compiled), file)
    os.replace(file.name, path)
    return compiled


def _read(path: Path) -> Compiled | None:
    """What was compiled before; None where there is nothing, or nothing that can be read."""
    try:
        return Compiled(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _request(launch: Launch, target: str) -> dict[str, Any]:
    import triton

    match = re.fullmatch(r"sm_(\d{2,3})", target)
    if match is None:
        raise CompileError(f"Unknown target {target!r}: expected one of {', '.join(TARGETS)}.")
    signature, constants, divisible = {}, {}, []
    for name, value in launch.arguments.items():
        kind, assumption = ("constexpr", "constant") if name in launch.constexprs else argument_type(value)
        signature[name] = kind
        if assumption == "constant":
            if not isinstance(value, (bool, int, float, str, type(None))):
                name_of = getattr(value, "name", None) or repr(value)
                value = {"dtype": str(name_of)}
            constants[name] = value
        elif assumption == 16:
            divisible.append(name)
    text, line = kernel_module(launch.kernel)
    return {
        "text": text, "line": line, "name": launch.name, "capability": int(match[1]), "signature": signature,
        "constants": constants, "divisible": divisible, "options": launch.options, "triton": triton.__version__,
    }  # fmt: skip


def compile_stages(
    function: Callable[..., Any],
    *args: Any,
    targets: Sequence[str] = TARGETS,
    kernel: str | None = None,
    **kwargs: Any,
) -> list[Compiled]:
    """Compile what ``function(*args, **kwargs)`` launches, without running it.

    Parameters
    ----------
    function
        Launches at least one Triton kernel.
    *args, **kwargs
        Its arguments. Tensors on the ``meta`` device cost no memory, whatever their shape.
    targets
        GPUs to compile for.
    kernel
        Name of the kernel wanted, where the function launches several; the first by default.

    Returns
    -------
    list of Compiled
        One a target.

    Raises
    ------
    CompileError
        If nothing is launched, or the compiler refuses.
    """
    launches = launches_of(function, *args, **kwargs)
    wanted = [launch for launch in launches if kernel in (None, launch.name)]
    if not wanted:
        names = ", ".join(launch.name for launch in launches) or "no kernel"
        called = getattr(function, "__name__", "the function")
        raise CompileError(f"{called} launched {names}, so {kernel or 'nothing'} could be compiled.")
    return [compile_launch(wanted[0], target) for target in targets]


def cache_folder() -> Path:
    """Where compiled stages are kept: ``$XDG_CACHE_HOME/lablib/compile``, by default under ``~/.cache``."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "lablib" / "compile"
