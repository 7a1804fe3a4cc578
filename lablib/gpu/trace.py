"""Count what a kernel moves: every load, store, atomic and dot of every program, seen in the interpreter.

The interpreter runs a kernel with numpy, one program after the other. The tracer stands between the kernel and
memory, and writes down each access: which program, which buffer, which elements, from which line. Counting it is
exact and needs no GPU. What is counted is the traffic between an SM and the L2 cache, not between L2 and memory;
`lablib.gpu.cache` models the rest.

Accesses outside a buffer are not performed: they are recorded as faults. A masked load without ``other=`` yields NaN in
the lanes that are switched off, because on a GPU those lanes hold whatever the register held before.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from lablib import device
from lablib.gpu.launch import Launch, recording
from lablib.gpu.traffic import SECTOR_BYTES, Access, Buffer, Dot, Fault, Trace

__all__ = ["trace", "tracing"]


def trace(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Trace:
    """Run ``function(*args, **kwargs)`` and return what its Triton kernels moved.

    On a GPU the kernels run compiled, and are counted afterwards in an interpreter of their own.

    Examples
    --------
    >>> import torch
    >>> from lablib.kernels.softmax import softmax
    >>> trace(softmax, torch.randn(4, 6)).loaded_bytes
    96
    """
    with tracing() as result:
        function(*args, **kwargs)
    return result


class tracing:
    """Context manager form of `trace`: ``with tracing() as t: ...`` fills ``t`` when the block ends."""

    def __enter__(self) -> Trace:
        self._trace = Trace()
        self._frozen: list[bytes] = []
        self._recording = recording(self._replay_later if not device.INTERPRETED else self._run_traced)
        self._recording.__enter__()
        return self._trace

    def __exit__(self, *exc_info: Any) -> None:
        self._recording.__exit__(*exc_info)
        if self._frozen:
            from lablib.gpu.replay import replay

            replay(self._frozen, self._trace)

    def _run_traced(self, launch: Launch, run: Callable[[], Any]) -> Any:
        self._trace.launches.append(launch)
        with Tracer(self._trace, launch):
            return run()

    def _replay_later(self, launch: Launch, run: Callable[[], Any]) -> Any:
        from lablib.gpu.replay import freeze

        self._trace.launches.append(launch)
        self._frozen.append(freeze(launch))
        return run()


class _Range(NamedTuple):
    """Where a buffer lies: address of its first element, its storage from low to high, which offsets are inside."""

    name: str
    address: int
    low: int
    high: int
    inside: np.ndarray


class Tracer:
    """Puts itself between the interpreter and memory for the time of one launch."""

    def __init__(self, result: Trace, launch: Launch) -> None:
        from triton.runtime.interpreter import interpreter_builder

        self.result, self.launch = result, launch
        self.builder: Any = interpreter_builder
        self.index = len(result.launches) - 1
        code = launch.kernel.fn.__code__
        self.kernel_file, self.kernel_name, self.kernel_line = (
            code.co_filename,
            code.co_name,
            _def_line(launch.kernel),
        )
        tensors = ((name, _base(value)) for name, value in launch.arguments.items())
        self.ranges = [self._register(name, tensor) for name, tensor in tensors if tensor is not None]

    def _register(self, name: str, tensor: torch.Tensor) -> _Range:
        itemsize, address = tensor.element_size(), tensor.data_ptr()
        buffer = Buffer(
            name, tuple(tensor.shape), tuple(tensor.stride()), itemsize, str(tensor.dtype).removeprefix("torch."),
            address % SECTOR_BYTES,
        )  # fmt: skip
        known = self.result.buffers.get(name)
        if known is not None and known != buffer:
            buffer = Buffer(f"{name}#{self.index + 1}", *list(vars(buffer).values())[1:])
        self.result.buffers[buffer.name] = buffer
        inside = np.zeros(int(buffer.offsets().max(initial=-1)) + 1, dtype=bool)
        inside[buffer.offsets()] = True
        storage = tensor.untyped_storage()
        return _Range(buffer.name, address, storage.data_ptr(), storage.data_ptr() + storage.nbytes(), inside)

    def __enter__(self) -> None:
        b = self.builder
        self.load, self.store = b.create_masked_load, b.create_masked_store
        self.rmw, self.cas, self.dot = b.create_atomic_rmw, b.create_atomic_cas, b.create_dot
        b.create_masked_load, b.create_masked_store = self._load, self._store
        b.create_atomic_rmw, b.create_atomic_cas, b.create_dot = self._rmw, self._cas, self._dot

    def __exit__(self, *exc_info: Any) -> None:
        for name in ("masked_load", "masked_store", "atomic_rmw", "atomic_cas", "dot"):
            delattr(self.builder, f"create_{name}")

    @property
    def program(self) -> tuple[int, int, int]:
        x, y, z = self.builder.grid_idx
        return int(x), int(y), int(z)

    def _line(self) -> int:
        frame = sys._getframe(2)
        while frame is not None:
            code = frame.f_code
            if code.co_name == self.kernel_name and code.co_filename == self.kernel_file:
                return frame.f_lineno - self.kernel_line + 1
            frame = frame.f_back
        return 0

    def _note(self, op: str, pointers: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Write one access down; return the mask of the lanes that may touch memory."""
        addresses = pointers.astype(np.int64)
        mask = np.broadcast_to(mask, addresses.shape)
        active = addresses[mask]
        if active.size == 0:
            return mask
        name, offsets, fits = self._locate(active)
        buffer, line = self.result.buffers[name], self._line()
        if not fits.all():
            element = int(offsets[~fits][0])
            self.result.faults.append(Fault(self.program, op, name, element, buffer.elements, line, self.launch.name))
            mask = mask.copy()
            mask[mask] = fits
        access = Access(self.program, op, name, offsets[fits], addresses.size, line, self.index)
        self.result.accesses.append(access)
        return mask

    def _locate(self, addresses: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
        """Buffer that the addresses fall into, their offsets in elements, and which of them are inside it."""
        if not self.ranges:
            raise ValueError(f"{self.launch.name} was given no tensor, so it has no memory to access.")
        found = [(*self._match(one, addresses), one.name) for one in self.ranges]
        _, offsets, fits, name = max(found, key=lambda match: match[0])
        return name, offsets, fits

    def _match(self, one: _Range, addresses: np.ndarray) -> tuple[tuple[int, int, int], np.ndarray, np.ndarray]:
        """How well the addresses fit a buffer: lanes inside it, lanes inside its storage, nearness of the first."""
        offsets = (addresses - one.address) // self.result.buffers[one.name].itemsize
        fits = (offsets >= 0) & (offsets < one.inside.size)
        fits[fits] = one.inside[offsets[fits]]
        near = int(((addresses >= one.low) & (addresses < one.high)).sum())
        return (int(fits.sum()), near, -abs(int(offsets[0]))), offsets, fits

    def _load(self, ptrs: Any, mask: Any, other: Any, *rest: Any, **named: Any) -> Any:
        wanted = np.broadcast_to(mask.data, ptrs.data.shape)
        safe = self._note("load", ptrs.data, mask.data)
        mask.data, before = safe, mask.data
        result = self.load(ptrs, mask, other, *rest, **named)
        mask.data = before
        undefined = wanted & ~safe if other is not None else ~safe
        if undefined.any() and np.issubdtype(result.data.dtype, np.floating):
            result.data[undefined] = np.nan
        return result

    def _store(self, ptrs: Any, value: Any, mask: Any, *rest: Any, **named: Any) -> Any:
        mask.data, before = self._note("store", ptrs.data, mask.data), mask.data
        result = self.store(ptrs, value, mask, *rest, **named)
        mask.data = before
        return result

    def _rmw(self, op: Any, ptr: Any, value: Any, mask: Any, *rest: Any) -> Any:
        mask.data, before = self._note("atomic", ptr.data, mask.data), mask.data
        result = self.rmw(op, ptr, value, mask, *rest)
        mask.data = before
        return result

    def _cas(self, ptr: Any, compare: Any, value: Any, *rest: Any) -> Any:
        safe = self._note("atomic", ptr.data, np.ones_like(ptr.data, dtype=bool))
        if not safe.all():
            raise IndexError(str(self.result.faults[-1]))
        return self.cas(ptr, compare, value, *rest)

    def _dot(self, a: Any, b: Any, *rest: Any, **named: Any) -> Any:
        (m, k), n = a.data.shape[-2:], b.data.shape[-1]
        self.result.dots.append(Dot(self.program, m, n, k, str(a.dtype.scalar)))
        return self.dot(a, b, *rest, **named)


def _base(value: Any) -> torch.Tensor | None:
    """The tensor behind a kernel's argument: itself, or a tensor descriptor's base."""
    value = getattr(value, "base", value) if type(value).__name__ == "TensorDescriptor" else value
    return value if isinstance(value, torch.Tensor) else None


def _def_line(kernel: Any) -> int:
    """Line of the kernel's ``def`` in its file; its code object starts at the first decorator."""
    lines, first = inspect.getsourcelines(kernel.fn)
    for index, line in enumerate(lines):
        if line.lstrip().startswith("def "):
            return first + index
    return first
