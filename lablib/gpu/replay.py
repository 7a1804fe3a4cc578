"""Run recorded launches again in an interpreter of their own, and count there.

On a GPU machine kernels run compiled, where no access can be seen. A launch is frozen before it runs (its kernel's
source and a copy of its arguments) and replayed in a process whose Triton interprets.
"""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from lablib.gpu.launch import Launch, tensor_of
from lablib.gpu.source import kernel_module
from lablib.gpu.traffic import Trace
from lablib.gpu.worker import Worker

__all__ = ["freeze", "replay"]

_interpreter = Worker("lablib.gpu.replay:replay_frozen", {"TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""})


def freeze(launch: Launch) -> bytes:
    """A launch as bytes: source of the kernel, and its arguments as they are now, tensors copied to the CPU."""
    text, _ = kernel_module(launch.kernel)
    storages: dict[int, torch.UntypedStorage] = {}

    def on_cpu(value: Any) -> Any:
        tensor = tensor_of(value)
        if tensor is None:
            return value
        storage = tensor.untyped_storage()
        host = storages.setdefault(storage.data_ptr(), storage.cpu())
        copied = torch.empty(0, dtype=tensor.dtype).set_(host, tensor.storage_offset(), tensor.size(), tensor.stride())
        return copied if value is tensor else dataclasses.replace(value, base=copied)

    with _disable_current_modes():  # whoever watches the student's torch calls is not to see these
        arguments = {name: on_cpu(value) for name, value in launch.arguments.items()}
    file = io.BytesIO()
    rest = (launch.grid, launch.constexprs, launch.options, launch.places)
    torch.save((text, launch.name, arguments, rest), file)
    return file.getvalue()


def replay(frozen: list[bytes], trace: Trace) -> None:
    """Fill ``trace`` with what the frozen launches moved."""
    counted = _interpreter.call(frozen)
    trace.buffers, trace.accesses, trace.dots, trace.faults, trace.places = counted


def replay_frozen(frozen: list[bytes]) -> tuple:
    """In the interpreting process: run each launch under the tracer."""
    from lablib.gpu.modules import load_kernel
    from lablib.gpu.tracer import Tracer

    result = Trace()
    for item in frozen:
        text, name, arguments, rest = torch.load(io.BytesIO(item), weights_only=False)
        kernel = load_kernel(text, name)
        launch = Launch(kernel, rest[0], arguments, *rest[1:])
        result.launches.append(launch)
        with Tracer(result, launch):
            kernel[launch.grid](**arguments, **launch.options)
    return result.buffers, result.accesses, result.dots, result.faults, result.places
