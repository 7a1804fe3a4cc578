"""Run a function and watch it: its launches, its memory traffic, its torch operations, its inputs.

Everything that a check says about how a result came about starts here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from lablib.check import log as logs
from lablib.check import provenance
from lablib.check.contract import is_inout
from lablib.check.log import Log, Operation
from lablib.check.recorder import ALLOCATIONS, FILLED, Recorder, bytes_of
from lablib.gpu import errors
from lablib.gpu.launch import Launch, describe_launch, kernel_class, storage_address, tensor_of
from lablib.gpu.trace import tracing
from lablib.gpu.traffic import Trace

__all__ = ["Observation", "observe"]


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
        Positions or names of the arguments that the call modified, though no `check.inout` allows it.
    unearned
        What came about without a kernel, as sentences; empty for an honest kernel.
    flops
        Floating-point operations of matrix products, convolutions and attention, in torch and in kernels.
    allocated_bytes, peak_bytes
        Bytes that torch allocated, and the most that it had to hold at once; arguments are not counted.
    outside_bytes
        Memory that no argument brought and no operation made: constants, and numbers that numpy or Python computed.
    dtypes
        Of all that its torch operations read and made, by name and sorted, such as ``["int32", "int8"]``.
    """

    value: Any
    trace: Trace
    torch_ops: list[str] = field(default_factory=list)
    changed_inputs: list[str] = field(default_factory=list)
    unearned: list[str] = field(default_factory=list)
    flops: int = 0
    allocated_bytes: int = 0
    peak_bytes: int = 0
    outside_bytes: int = 0
    dtypes: list[str] = field(default_factory=list)

    @property
    def launches(self) -> list[Launch]:
        """Launches of Triton kernels, in order."""
        return self.trace.launches


def observe(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Observation:
    """Call ``function(*args, **kwargs)`` and watch it.

    Fresh memory is filled with NaN (floating point) or the largest integer first, so that an element which no kernel
    writes is seen. A function that runs elsewhere brings a method ``__observe__`` that does the same there.
    """
    elsewhere = getattr(type(function), "__observe__", None)
    if elsewhere is not None:
        return elsewhere(function, args, kwargs)
    inputs = [(str(i), a) for i, a in enumerate(args)] + list(kwargs.items())
    tensors = [(name, t) for name, a in inputs for t in tree_leaves(a) if _has_memory(t)]
    before = [(name, t, t.clone()) for name, t in tensors]
    recorder = Recorder([t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)])
    after_launch: dict[int, torch.Tensor] = {}
    with _launches(recorder, after_launch), tracing() as trace, recorder:
        value = errors.call(function, args, kwargs)
    recorder.log.value = recorder.views(value)
    changed = [name for name, t, copy in before if not is_inout(t) and not _same_bits(t, copy)]
    results = [t for t in tree_leaves(value) if _has_memory(t)]
    given = {storage_address(t) for _, t in tensors} | recorder.filled
    unearned = [*provenance.unearned(trace, given, results), *_changed_since(results, after_launch)]
    log = recorder.log
    return Observation(
        value, trace, _work(log), changed, unearned, logs.flops(log) + trace.dot_flops, logs.allocated_bytes(log),
        logs.peak_bytes(log), logs.outside_bytes(log), logs.dtypes(log),
    )  # fmt: skip


def recorded(function: Callable[..., Any], args: tuple, kwargs: dict[str, Any], run_kernels: bool = True) -> Log:
    """The log of a call: what a judge needs to observe it again.

    Kernels run under the tracer, which performs no access outside a buffer; or not at all.
    """
    recorder = Recorder([t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)])
    with _launches(recorder, {}, run_kernels), tracing(), recorder:
        value = errors.call(function, args, kwargs)
    recorder.log.value = recorder.views(value)
    return recorder.log


def _work(log: Log) -> list[str]:
    """Names of the operations that do more than set memory aside."""
    names = (event.name.split(".")[1] for event in log.events if isinstance(event, Operation))
    return [name for name in names if name not in ALLOCATIONS | FILLED]


class _launches:
    """Tell the recorder of launches, and keep what each wrote.

    While a kernel runs, the interpreter's own torch calls are not the student's.
    """

    def __init__(self, recorder: Recorder, after_launch: dict[int, torch.Tensor], run_kernels: bool = True) -> None:
        self.recorder, self.after_launch, self.run_kernels = recorder, after_launch, run_kernels

    def __enter__(self) -> None:
        self.cls = kernel_class()
        self.run = self.cls.run
        outer = self

        def run(kernel: Any, *args: Any, grid: Any, warmup: bool = False, **kwargs: Any) -> Any:
            launch = describe_launch(kernel, grid, args, kwargs)
            outer.recorder.launched(launch)
            if not outer.run_kernels:
                return None
            outer.recorder.paused = True
            try:
                result = outer.run(kernel, *args, grid=launch.grid, warmup=warmup, **kwargs)
                for tensor in map(tensor_of, tree_leaves((args, kwargs))):
                    if tensor is not None and _has_memory(tensor):
                        outer.after_launch[storage_address(tensor)] = _storage_copy(tensor)
                return result
            finally:
                outer.recorder.paused = False

        self.cls.run = run

    def __exit__(self, *exc_info: Any) -> None:
        self.cls.run = self.run


def _has_memory(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.device.type != "meta"


def _storage_copy(tensor: torch.Tensor) -> torch.Tensor:
    copy = bytes_of(tensor)
    assert copy is not None  # only tensors with memory come here
    return copy


def _same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    packed = (t.clone(memory_format=torch.contiguous_format).view(-1).view(torch.uint8) for t in (one, other))
    return torch.equal(*packed)


def _changed_since(results: list[torch.Tensor], after_launch: dict[int, torch.Tensor]) -> list[str]:
    for tensor in results:
        left = after_launch.get(storage_address(tensor))
        if left is not None and not torch.equal(left, _storage_copy(tensor)):
            return ["it returns a tensor that something changed after the last kernel had written it"]
    return []
