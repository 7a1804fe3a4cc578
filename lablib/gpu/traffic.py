"""What a kernel moved, as plain data: buffers, accesses, dots, faults, and the sums over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lablib.gpu.launch import Launch

__all__ = ["SECTOR_BYTES", "Access", "Buffer", "Dot", "Fault", "Trace", "element_offsets"]

SECTOR_BYTES = 32
"""The unit in which a GPU moves data between L2 and memory; one cache line has four."""


def element_offsets(shape: Sequence[int], strides: Sequence[int]) -> np.ndarray:
    """Offset of each element from the first, int64, flattened in row-major order.

    Examples
    --------
    >>> element_offsets((2, 3), (1, 2)).tolist()
    [0, 2, 4, 1, 3, 5]
    """
    offsets = np.zeros((), dtype=np.int64)
    for size, stride in zip(shape, strides, strict=True):
        offsets = np.add.outer(offsets, np.arange(size, dtype=np.int64) * stride)
    return offsets.reshape(-1)


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
        return element_offsets(self.shape, self.strides)


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
        Line in the kernel's source, ``@triton.jit`` being line 1; 0 inside a helper.
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
    """An access to something that is no element of its buffer; ``element`` is the first offending offset."""

    program: tuple[int, int, int]
    op: str
    buffer: Buffer
    element: int
    line: int
    kernel: str

    def __str__(self) -> str:
        where = f"line {self.line} of {self.kernel}" if self.line else self.kernel
        name, count = self.buffer.name, self.buffer.elements
        if 0 <= self.element <= self.buffer.offsets().max(initial=-1):
            return (
                f"program {self.program} would {self.op} at {name} + {self.element}, which lies between the elements "
                f"of {name}: its strides are {self.buffer.strides} ({where}). Does the address use them?"
            )
        return (
            f"program {self.program} would {self.op} at {name} + {self.element}, outside {name}, which has {count} "
            f"elements ({where}): which lanes does the mask let through?"
        )


@dataclass
class Trace:
    """Everything that one call moved; see `lablib.gpu.trace.trace`.

    ``buffers`` go by the name of the kernel's parameter; where two launches give one name to different tensors, the
    later one's is ``name#launch``. ``places`` has the address of each.
    """

    launches: list[Launch] = field(default_factory=list)
    buffers: dict[str, Buffer] = field(default_factory=dict)
    accesses: list[Access] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)

    @property
    def kernel(self) -> str:
        """Names of the kernels, in launch order."""
        return ", ".join(launch.name for launch in self.launches)

    @property
    def grid(self) -> tuple[int, int, int]:
        """Grid of the first launch."""
        return self.launches[0].grid if self.launches else (0, 0, 0)

    def moved(self, op: str, buffer: str | None = None) -> int:
        """Bytes moved by ``op``: load, store or atomic. An element that one instruction names twice moves once."""
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
