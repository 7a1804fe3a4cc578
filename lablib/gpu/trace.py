"""Count what a kernel moves: every load, store, atomic and dot of every program, seen in the interpreter.

The interpreter runs a kernel with numpy, one program after the other. The tracer stands between the kernel and
memory, and writes down each access: which program, which buffer, which elements, from which line. Counting it is
exact and needs no GPU. What is counted is the traffic between an SM and the L2 cache, not between L2 and memory;
`lablib.gpu.cache` models the rest.

Accesses outside a buffer are not performed: they are recorded as faults. A masked load without ``other=`` yields NaN in
the lanes that are switched off, because on a GPU those lanes hold whatever the register held before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from lablib import device
from lablib.gpu.launch import Launch, recording

__all__ = ["Access", "Buffer", "Dot", "Fault", "Trace", "trace", "tracing"]

SECTOR_BYTES = 32
"""The unit in which a GPU moves data between L2 and memory; one cache line has four."""


@dataclass(frozen=True)
class Buffer:
    """A tensor that a kernel was given: shape and strides in elements, itemsize in bytes."""

    name: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    itemsize: int
    dtype: str
    alignment: int = 0

    @property
    def elements(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes of its elements, gaps between rows not counted."""
        return self.elements * self.itemsize

    def offsets(self) -> np.ndarray:
        """Offset in elements of each of its elements from the first, flattened in row-major order."""
        grid = np.zeros(self.shape, dtype=np.int64)
        for axis, (size, stride) in enumerate(zip(self.shape, self.strides, strict=True)):
            index = np.arange(size, dtype=np.int64) * stride
            grid = grid + index.reshape((-1,) + (1,) * (len(self.shape) - axis - 1))
        return grid.reshape(-1)


@dataclass(frozen=True)
class Access:
    """One memory instruction of one program.

    Attributes
    ----------
    program
        Program id along x, y and z.
    op
        ``"load"``, ``"store"`` or ``"atomic"``.
    buffer
        Name of the buffer, after the kernel's parameter.
    offsets
        Elements that the active lanes touch, relative to the buffer's first element, int64, shape (active lanes,).
    lanes
        Lanes of the instruction, masked ones included.
    line
        Line in the kernel's source, its ``def`` being line 1; 0 inside a helper.
    launch
        Which launch of the trace, counted from 0.
    """

    program: tuple[int, int, int]
    op: str
    buffer: str
    offsets: np.ndarray
    lanes: int
    line: int
    launch: int = 0


@dataclass(frozen=True)
class Dot:
    """One ``tl.dot`` of one program: an (M, K) tile times a (K, N) tile."""

    program: tuple[int, int, int]
    M: int
    N: int
    K: int
    dtype: str


@dataclass(frozen=True)
class Fault:
    """An access outside its buffer: ``element`` is the first offending offset."""

    program: tuple[int, int, int]
    op: str
    buffer: str
    element: int
    elements: int
    line: int
    kernel: str

    def __str__(self) -> str:
        where = f"line {self.line} of {self.kernel}" if self.line else self.kernel
        return (
            f"program {self.program} would {self.op} element {self.element} of {self.buffer}, which has "
            f"{self.elements} elements ({where}): the mask lets it through"
        )


@dataclass
class Trace:
    """Everything that one call moved. See `trace`."""

    launches: list[Launch] = field(default_factory=list)
    buffers: dict[str, Buffer] = field(default_factory=dict)
    accesses: list[Access] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def kernel(self) -> str:
        """Names of the kernels, in launch order."""
        return ", ".join(launch.name for launch in self.launches)

    @property
    def grid(self) -> tuple[int, int, int]:
        """Grid of the first launch."""
        return self.launches[0].grid if self.launches else (0, 0, 0)

    def moved(self, op: str, buffer: str | None = None) -> int:
        """Bytes moved by ``op``; an element that one instruction names twice moves once."""
        total = 0
        for access in self.accesses:
            if access.op == op and buffer in (None, access.buffer):
                total += np.unique(access.offsets).size * self.buffers[access.buffer].itemsize
        return total

    def loads(self, buffer: str | None = None) -> int:
        """Bytes loaded from one buffer, or from all."""
        return self.moved("load", buffer)

    def stores(self, buffer: str | None = None) -> int:
        """Bytes stored to one buffer, or to all."""
        return self.moved("store", buffer)

    @property
    def loaded_bytes(self) -> int:
        """Bytes loaded from all buffers."""
        return self.loads()

    @property
    def stored_bytes(self) -> int:
        """Bytes stored to all buffers."""
        return self.stores()

    @property
    def atomic_bytes(self) -> int:
        """Bytes of atomic updates: each is read and written at the L2."""
        return self.moved("atomic")

    def sectors(self, op: str = "load") -> int:
        """32-byte sectors moved by ``op``: a strided access that uses 4 bytes of each still moves 32."""
        total = 0
        for access in self.accesses:
            if access.op == op and access.offsets.size:
                buffer = self.buffers[access.buffer]
                first = access.offsets * buffer.itemsize + buffer.alignment
                total += np.unique(first // SECTOR_BYTES).size
        return total

    @property
    def dot_flops(self) -> int:
        """Floating-point operations of all ``tl.dot``, a multiplication and an addition counted as two."""
        return sum(2 * dot.M * dot.N * dot.K for dot in self.dots)

    def times_touched(self, op: str, buffer: str) -> np.ndarray:
        """How often each element of ``buffer`` was touched by ``op``, in the buffer's shape."""
        target = self.buffers[buffer]
        order = target.offsets()
        counts = np.zeros(int(order.max(initial=-1)) + 1, dtype=np.int64)
        for access in self.accesses:
            if access.op == op and access.buffer == buffer:
                counts[np.unique(access.offsets)] += 1
        return counts[order].reshape(target.shape)


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


class Tracer:
    """Puts itself between the interpreter and memory for the time of one launch."""

    def __init__(self, result: Trace, launch: Launch) -> None:
        from triton.runtime.interpreter import interpreter_builder

        self.result, self.launch, self.builder = result, launch, interpreter_builder
        self.index = len(result.launches) - 1
        code = launch.kernel.fn.__code__
        self.kernel_file, self.kernel_name, self.kernel_line = (
            code.co_filename,
            code.co_name,
            _def_line(launch.kernel),
        )
        self.ranges = [self._register(n, v) for n, v in launch.arguments.items() if _base(v) is not None]

    def _register(self, name: str, value: Any) -> tuple[int, int, str, np.ndarray]:
        tensor = _base(value)
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
        return storage.data_ptr(), storage.data_ptr() + storage.nbytes(), buffer.name, inside, address

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
        best = None
        for low, high, name, inside, base in self.ranges:
            offsets = (addresses - base) // self.result.buffers[name].itemsize
            fits = (offsets >= 0) & (offsets < inside.size)
            fits[fits] = inside[offsets[fits]]
            near = int(((addresses >= low) & (addresses < high)).sum())
            score = (int(fits.sum()), near, -abs(int(offsets[0])))
            if best is None or score > best[0]:
                best = (score, name, offsets, fits)
        return best[1], best[2], best[3]

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
    import inspect

    lines, first = inspect.getsourcelines(kernel.fn)
    for index, line in enumerate(lines):
        if line.lstrip().startswith("def "):
            return first + index
    return first
