"""Run a function and watch it: its launches, its memory traffic, its torch operations, its inputs.

Everything that a check says about how a result came about starts here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lablib.check import provenance
from lablib.gpu import errors
from lablib.gpu.launch import Launch, kernel_class, storage_address, tensor_of
from lablib.gpu.trace import tracing
from lablib.gpu.traffic import Trace

__all__ = ["Observation", "observe"]

VIEWS = {
    "view", "reshape", "as_strided", "detach", "alias", "t", "transpose", "permute", "expand", "slice", "select",
    "squeeze", "unsqueeze", "_unsafe_view", "lift_fresh", "set_", "_reshape_alias", "unbind", "narrow", "split",
    "diagonal",
}  # fmt: skip
POISONED = {"empty", "empty_strided", "empty_like", "new_empty", "new_empty_strided"}
ZEROED = {"zeros", "zeros_like", "new_zeros", "zero_", "full", "full_like", "new_full"}


@dataclass
class Observation:
    """What a call returned and what it did.

    Attributes
    ----------
    value
        The returned value.
    trace
        Memory traffic of its Triton kernels.
    torch_ops
        Names of the torch operations that computed or copied something, in order.
    changed_inputs
        Positions or names of the arguments that the call modified.
    unearned
        What came about without a kernel, as sentences; empty for an honest kernel.
    """

    value: Any
    trace: Trace
    torch_ops: list[str] = field(default_factory=list)
    changed_inputs: list[str] = field(default_factory=list)
    unearned: list[str] = field(default_factory=list)

    @property
    def launches(self) -> list[Launch]:
        """Launches of Triton kernels, in order."""
        return self.trace.launches


def observe(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Observation:
    """Call ``function(*args, **kwargs)`` and watch it.

    Fresh memory is filled with NaN (floating point) or the largest integer first, so that an element which no kernel
    writes is seen.
    """
    inputs = [(str(i), a) for i, a in enumerate(args)] + list(kwargs.items())
    tensors = [(name, t) for name, a in inputs for t in tree_leaves(a) if _has_memory(t)]
    before = [(name, t, t.clone()) for name, t in tensors]
    operations = _Operations()
    after_launch: dict[int, torch.Tensor] = {}
    with _pausing(operations, after_launch), tracing() as trace, operations:
        value = errors.call(function, args, kwargs)
    changed = [name for name, t, copy in before if not _same_bits(t, copy)]
    results = [t for t in tree_leaves(value) if _has_memory(t)]
    given = {storage_address(t) for _, t in tensors} | operations.zeroed
    unearned = [*provenance.unearned(trace, given, results), *_changed_since(results, after_launch)]
    return Observation(value, trace, operations.names, changed, unearned)


class _Operations(TorchDispatchMode):
    """Writes down torch operations that do work, and poisons fresh memory."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.zeroed: set[int] = set()  # storages that torch filled with zeros: a kernel may load them
        self.paused = False

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.paused:
            return result
        name = func.overloadpacket.__name__
        if name in POISONED:
            _poison(result)
        elif name in ZEROED:
            self.zeroed.add(storage_address(result))
        elif name not in VIEWS:
            self.names.append(name)
        return result


def _poison(tensor: torch.Tensor) -> None:
    if not _has_memory(tensor):
        return
    if tensor.dtype.is_floating_point:
        tensor.fill_(float("nan"))
    elif tensor.dtype != torch.bool and not tensor.dtype.is_complex:
        tensor.fill_(torch.iinfo(tensor.dtype).max)


class _pausing:
    """While a kernel runs, the interpreter's own torch calls are not the student's; afterwards, keep what it wrote."""

    def __init__(self, operations: _Operations, after_launch: dict[int, torch.Tensor]) -> None:
        self.operations, self.after_launch = operations, after_launch

    def __enter__(self) -> None:
        self.cls = kernel_class()
        self.run = self.cls.run
        outer = self

        def run(kernel: Any, *args: Any, **kwargs: Any) -> Any:
            outer.operations.paused = True
            try:
                result = outer.run(kernel, *args, **kwargs)
                for tensor in map(tensor_of, tree_leaves((args, kwargs))):
                    if tensor is not None and _has_memory(tensor):
                        outer.after_launch[storage_address(tensor)] = _storage_copy(tensor)
                return result
            finally:
                outer.operations.paused = False

        self.cls.run = run

    def __exit__(self, *exc_info: Any) -> None:
        self.cls.run = self.run


def _has_memory(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.device.type != "meta"


def _storage_copy(tensor: torch.Tensor) -> torch.Tensor:
    storage = tensor.untyped_storage()
    return torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(storage).clone()


def _same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    packed = (t.clone(memory_format=torch.contiguous_format).view(-1).view(torch.uint8) for t in (one, other))
    return torch.equal(*packed)


def _changed_since(results: list[torch.Tensor], after_launch: dict[int, torch.Tensor]) -> list[str]:
    for tensor in results:
        left = after_launch.get(storage_address(tensor))
        if left is not None and not torch.equal(left, _storage_copy(tensor)):
            return ["it returns a tensor that something changed after the last kernel had written it"]
    return []
