"""The tracer itself: it stands between Triton's interpreter and memory for the time of one launch."""

from __future__ import annotations

import copy
import sys
from typing import Any, NamedTuple

import numpy as np
import torch

from lablib.gpu.launch import Launch, tensor_of
from lablib.gpu.source import first_line
from lablib.gpu.traffic import SECTOR_BYTES, Access, Buffer, Dot, Fault, Trace

import triton.language as tl  # isort: skip  (after lablib.device, which sets TRITON_INTERPRET)

__all__ = ["Tracer"]

_REGION = 48  # bits of the address space that each tensor gets, more than any real address has
_REGION_ALIGNMENT = 4096
_WATCHED = [f"create_{name}" for name in ("masked_load", "masked_store", "atomic_rmw", "atomic_cas", "dot")]


class _Range(NamedTuple):
    """Where a buffer lies: in memory, in the kernel's eyes, and which offsets from its first element are inside it."""

    name: str
    real: int
    virtual: int
    itemsize: int
    inside: np.ndarray


class Tracer:
    """Puts itself between the interpreter and memory for the time of one launch.

    The kernel gets virtual pointers, a region of the address space to each tensor. So every address tells which
    pointer it was computed from, however far it strays, and two tensors over one memory stay apart.
    """

    def __init__(self, result: Trace, launch: Launch) -> None:
        from triton.runtime import interpreter

        self.result, self.launch = result, launch
        self.interpreter: Any = interpreter
        self.builder: Any = interpreter.interpreter_builder
        self.index = len(result.launches) - 1
        code = launch.kernel.fn.__code__
        self.kernel_code, self.kernel_line = (code.co_filename, code.co_name), first_line(launch.kernel)
        tensors = ((name, tensor_of(value)) for name, value in launch.arguments.items())
        self.ranges = [self._register(name, tensor) for name, tensor in tensors if tensor is not None]

    def _register(self, name: str, tensor: torch.Tensor) -> _Range:
        itemsize, real = tensor.element_size(), tensor.data_ptr()
        buffer = Buffer(
            name, tuple(tensor.shape), tuple(tensor.stride()), itemsize, str(tensor.dtype).removeprefix("torch."),
            real % SECTOR_BYTES,
        )  # fmt: skip
        place = self.launch.places.get(name, real)
        if self.result.places.setdefault(name, place) != place or self.result.buffers.get(name, buffer) != buffer:
            buffer = Buffer(f"{name}#{self.index + 1}", *list(vars(buffer).values())[1:])
        self.result.buffers[buffer.name] = buffer
        inside = np.zeros(int(buffer.offsets().max(initial=-1)) + 1, dtype=bool)
        inside[buffer.offsets()] = True
        # Alignment is kept, and room on both sides for offsets that are wrong.
        number = list(self.launch.arguments).index(name) + 1
        return _Range(buffer.name, real, (2 * number + 1 << _REGION) + real % _REGION_ALIGNMENT, itemsize, inside)

    def __enter__(self) -> None:
        b = self.builder
        self.before = {name: vars(b).get(name) for name in _WATCHED}
        self.load, self.store = b.create_masked_load, b.create_masked_store
        self.rmw, self.cas, self.dot = b.create_atomic_rmw, b.create_atomic_cas, b.create_dot
        b.create_masked_load, b.create_masked_store = self._load, self._store
        b.create_atomic_rmw, b.create_atomic_cas, b.create_dot = self._rmw, self._cas, self._dot
        self.convert, self.waiting = self.interpreter._implicit_cvt, list(self.ranges)
        self.interpreter._implicit_cvt = self._convert
        self.patch_tensor = self.interpreter._patch_lang_tensor
        self.interpreter._patch_lang_tensor = self._patch_tensor
        # The interpreter spends half of a launch on a test for overflow whose result it drops, as a GPU would.
        self.interpreter.interpreter_semantic.binary_op_sanitize_overflow_impl = lambda *operation: None

    def __exit__(self, *exc_info: Any) -> None:
        self.interpreter._implicit_cvt = self.convert
        self.interpreter._patch_lang_tensor = self.patch_tensor
        vars(self.interpreter.interpreter_semantic).pop("binary_op_sanitize_overflow_impl", None)
        for name, method in self.before.items():
            if method is None:
                delattr(self.builder, name)
            else:  # a trace inside a trace
                setattr(self.builder, name, method)

    def _convert(self, argument: Any) -> Any:
        """What the interpreter makes of an argument, a tensor's address replaced by its virtual one."""
        converted = self.convert(argument)
        if isinstance(argument, torch.Tensor):
            for one in self.waiting:
                if one.real == argument.data_ptr():
                    self.waiting.remove(one)  # arguments are converted in order, so equal tensors keep their names
                    converted.handle.data = np.array([one.virtual], dtype=np.uint64)
                    break
        return converted

    def _patch_tensor(self, tensor: Any, *scope: Any) -> None:
        """What the interpreter makes of tensors, and two things more; its own scope undoes them.

        A scalar bounds a loop though it is an array of one element, which numpy 2.4 does not convert for Triton 3.6.
        A block of lanes has no single truth value: the interpreter would take it for true, and of ``a and b`` drop a.
        """
        self.patch_tensor(tensor, *scope)
        usual = tensor.__bool__

        def truth(block: Any) -> bool:
            code = sys._getframe(1).f_code
            if block.handle.data.size > 1 and (code.co_filename, code.co_name) == self.kernel_code:
                raise ValueError("a block of lanes is neither true nor false: join masks with & and |, not and, or, if")
            return usual(block)

        tensor.__index__ = lambda scalar: int(scalar.handle.data.squeeze())
        tensor.__bool__ = truth

    @property
    def program(self) -> tuple[int, int, int]:
        x, y, z = self.builder.grid_idx
        return int(x), int(y), int(z)

    def _line(self) -> int:
        frame = sys._getframe(2)
        while frame is not None:
            code = frame.f_code
            if (code.co_filename, code.co_name) == self.kernel_code:
                return frame.f_lineno - self.kernel_line + 1
            frame = frame.f_back
        return 0

    def _note(self, op: str, pointers: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Write one access down; return the real addresses, and the mask of the lanes that may touch memory."""
        addresses = pointers.astype(np.int64)
        mask = np.broadcast_to(mask, addresses.shape)
        if not mask.any():
            return pointers, mask
        one, addresses = self._locate(addresses, int(addresses[mask][0]))
        offsets = (addresses[mask] - one.real) // one.itemsize
        fits = (offsets >= 0) & (offsets < one.inside.size)
        fits[fits] = one.inside[offsets[fits]]
        line = self._line()
        if not fits.all():
            buffer, element = self.result.buffers[one.name], int(offsets[~fits][0])
            self.result.faults.append(Fault(self.program, op, buffer, element, line, self.launch.name))
            mask = mask.copy()
            mask[mask] = fits
        access = Access(self.program, op, one.name, offsets[fits], addresses.size, line, self.index)
        self.result.accesses.append(access)
        return addresses.astype(np.uint64), mask

    def _locate(self, addresses: np.ndarray, first: int) -> tuple[_Range, np.ndarray]:
        """The buffer that addresses point into, told by the first active one, and the addresses as real ones."""
        for one in self.ranges:
            if abs(first - one.virtual) < 1 << _REGION:
                return one, addresses - one.virtual + one.real
        for one in self.ranges:  # a pointer that the kernel loaded from memory is real
            if 0 <= (first - one.real) // one.itemsize < one.inside.size:
                return one, addresses
        raise IndexError(
            f"{self.launch.name} uses a pointer that belongs to none of its arguments "
            f"({', '.join(one.name for one in self.ranges) or 'it has no tensors'}): pass the tensor to the kernel."
        )

    def _load(self, ptrs: Any, mask: Any, other: Any, *rest: Any, **named: Any) -> Any:
        wanted = _mask_of(mask)
        real, safe = self._note("load", ptrs.data, wanted)
        result = self.load(_with(ptrs, real), self._handle(safe), other, *rest, **named)
        undefined = wanted & ~safe if other is not None else ~safe
        if undefined.any():
            _poison(result, undefined)
        return result

    def _store(self, ptrs: Any, value: Any, mask: Any, *rest: Any, **named: Any) -> Any:
        real, safe = self._note("store", ptrs.data, _mask_of(mask))
        return self.store(_with(ptrs, real), value, self._handle(safe), *rest, **named)

    def _handle(self, mask: np.ndarray) -> Any:
        return self.interpreter.TensorHandle(mask, tl.int1)

    def _rmw(self, op: Any, ptr: Any, value: Any, mask: Any, *rest: Any) -> Any:
        real, safe = self._note("atomic", ptr.data, _mask_of(mask))
        return self.rmw(op, _with(ptr, real), value, self._handle(safe), *rest)

    def _cas(self, ptr: Any, compare: Any, value: Any, *rest: Any) -> Any:
        real, safe = self._note("atomic", ptr.data, np.ones_like(ptr.data, dtype=bool))
        if not safe.all():
            raise IndexError(str(self.result.faults[-1]))
        return self.cas(_with(ptr, real), compare, value, *rest)

    def _dot(self, a: Any, b: Any, *rest: Any, **named: Any) -> Any:
        (m, k), n = a.data.shape[-2:], b.data.shape[-1]
        self.result.dots.append(Dot(self.program, m, n, k, str(a.dtype.scalar)))
        return self.dot(a, b, *rest, **named)


def _with(handle: Any, data: np.ndarray) -> Any:
    """The interpreter's handle with other data."""
    changed = copy.copy(handle)
    changed.data = data
    return changed


def _mask_of(mask: Any) -> np.ndarray:
    """The lanes that are on: loads give a handle, tensor descriptors a plain array."""
    return mask if isinstance(mask, np.ndarray) else mask.data.astype(bool)  # i1, which may come in wider numbers


def _poison(loaded: Any, lanes: np.ndarray) -> None:
    """Fill lanes that nothing defines with what shows: NaN, or the largest integer."""
    kind = loaded.data.dtype
    if np.issubdtype(kind, np.floating):
        loaded.data[lanes] = np.nan
    elif str(loaded.dtype.scalar) == "bf16":
        loaded.data[lanes] = 0x7FC0  # NaN; the interpreter keeps bfloat16 as its 16 bits
    elif np.issubdtype(kind, np.integer):
        loaded.data[lanes] = np.iinfo(kind).max
