"""Run recorded launches again in an interpreter of their own, and count there.

On a GPU machine kernels run compiled, where no access can be seen. A launch is frozen before it runs (its kernel's
source and a copy of its arguments) and replayed in a process whose Triton interprets.
"""

from __future__ import annotations

import io
from typing import Any

import torch

from lablib.gpu.launch import Launch
from lablib.gpu.source import kernel_module
from lablib.gpu.worker import Worker

__all__ = ["freeze", "replay"]

_interpreter = Worker("lablib.gpu.replay:replay_frozen", {"TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""})


def freeze(launch: Launch) -> bytes:
    """A launch as bytes: source of the kernel, and its arguments as they are now, tensors copied to the CPU."""
    text, _ = kernel_module(launch.kernel)
    storages: dict[int, torch.UntypedStorage] = {}
    arguments = {}
    for name, value in launch.arguments.items():
        if isinstance(value, torch.Tensor):
            storage = value.untyped_storage()
            host = storages.setdefault(storage.data_ptr(), storage.cpu())
            tensor = torch.empty(0, dtype=value.dtype)
            value = tensor.set_(host, value.storage_offset(), value.size(), value.stride())
        arguments[name] = value
    file = io.BytesIO()
    torch.save((text, launch.name, launch.grid, arguments, launch.constexprs, launch.options), file)
    return file.getvalue()


def replay(frozen: list[bytes], trace: Any) -> None:
    """Fill ``trace`` with what the frozen launches moved."""
    counted = _interpreter.call(frozen)
    trace.buffers, trace.accesses, trace.dots, trace.faults = counted


def replay_frozen(frozen: list[bytes]) -> tuple:
    """In the interpreting process: run each launch under the tracer."""
    from lablib.gpu.modules import load_kernel
    from lablib.gpu.trace import tracing

    _accept_one_element_arrays()
    with tracing() as result:
        for item in frozen:
            text, name, grid, arguments, _, options = torch.load(io.BytesIO(item), weights_only=False)
            load_kernel(text, name)[grid](**arguments, **options)
    return result.buffers, result.accesses, result.dots, result.faults


def _accept_one_element_arrays() -> None:
    """Let a kernel's scalar bound a loop: Triton 3.6 converts one-element arrays, which numpy 2.4 refuses to do."""
    from triton.runtime import interpreter

    patch = interpreter._patch_lang_tensor

    def patch_and_mend(tensor: Any, *scope: Any) -> None:
        patch(tensor, *scope)
        tensor.__index__ = lambda self: int(self.handle.data.squeeze())

    interpreter._patch_lang_tensor = patch_and_mend
