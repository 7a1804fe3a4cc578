"""Plain values as trees that msgpack can hold, and back: a closed set, bounded in size, depth and number.

What the sandbox sends is decoded here without running anything that it chose: no pickle, no classes by name, and
tensors only from a dtype, a shape, strides and bytes that fit together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lablib.check.log import Log, Operation, Run, Storage, View

__all__ = ["MAX_FRAME", "Decoder", "Encoder", "Reference", "Refused"]

MAX_FRAME = 256 * 2**20
MAX_VALUES = 2_000_000
MAX_DEPTH = 64
MAX_TEXT = 16 * 2**20

_DTYPES = {str(value).removeprefix("torch."): value for value in vars(torch).values() if type(value) is torch.dtype}
_TORCH = {str(v): v for kind in (torch.layout, torch.memory_format) for v in vars(torch).values() if type(v) is kind}
_LOG = {"log": Log, "operation": Operation, "run": Run, "storage": Storage, "view": View}
_LOG_NAMES = {kind: name for name, kind in _LOG.items()}


class Refused(Exception):
    """A value cannot cross the wire; the message says which."""


@dataclass(frozen=True)
class Reference:
    """Stands for an object that stays where it is: ``kind`` tells what it is, ``number`` which one.

    ``content`` is used by the judge alone, for objects that it sends whole.
    """

    kind: str
    number: int
    content: bytes = b""


class Encoder:
    """Makes trees of values, and lays the memory of their tensors beside them."""

    def __init__(self, outside: Callable[[Any], Any] | None) -> None:
        self.outside = outside
        self.memory: list[bytes] = []
        self.places: dict[int, tuple[int, Any]] = {}  # the storage is kept, so that its key is not used again
        self.count = 0

    def encode(self, value: Any, depth: int) -> Any:
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_VALUES:
            raise Refused(f"a value nested deeper than {MAX_DEPTH}, or of more than {MAX_VALUES} parts")
        kind = type(value)
        if value is None or kind in (bool, float, str, bytes):
            return value
        if kind is int:
            return value if -(2**63) <= value < 2**64 else {"int": hex(value)}
        if kind is list:
            return [self.encode(item, depth + 1) for item in value]
        if kind in _SEQUENCES:
            return {_SEQUENCES[kind]: [self.encode(item, depth + 1) for item in value]}
        if kind is dict:
            return {"dict": [[self.encode(k, depth + 1), self.encode(v, depth + 1)] for k, v in value.items()]}
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if kind is np.ndarray or isinstance(value, np.generic):
            return self._array(value)
        if kind in (torch.dtype, torch.device, torch.layout, torch.memory_format):
            return {"torch": str(value)}
        if kind is complex:
            return {"complex": [value.real, value.imag]}
        if kind in (slice, range):
            return {kind.__name__: [self.encode(end, depth + 1) for end in (value.start, value.stop, value.step)]}
        if kind in _LOG_NAMES:
            return {_LOG_NAMES[kind]: [self.encode(item, depth + 1) for item in vars(value).values()]}
        if kind is Reference:
            return {"reference": [value.kind, value.number, value.content]}
        if self.outside is None:
            raise Refused(f"an object of type {kind.__name__}")
        return self.encode(self.outside(value), depth + 1)

    def _tensor(self, tensor: torch.Tensor) -> Any:
        if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
            raise Refused(f"a tensor of the subclass {type(tensor).__name__}; expected a torch.Tensor")
        if tensor.layout is not torch.strided or tensor.is_quantized:
            raise Refused(f"a tensor of layout {tensor.layout}; expected a strided one")
        form = [str(tensor.dtype).removeprefix("torch."), list(tensor.shape), tensor.requires_grad and tensor.is_leaf]
        if tensor.device.type == "meta":
            return {"meta": [*form, list(tensor.stride())]}
        if tensor.is_leaf and tensor.grad is not None:
            return {"leaf": [self._tensor(tensor.detach()), self._tensor(tensor.grad)]}
        tensor = tensor.detach().resolve_conj().resolve_neg()
        return {"tensor": [*form, list(tensor.stride()), int(tensor.storage_offset()), self._place(tensor)]}

    def _place(self, tensor: torch.Tensor) -> int:
        """Number of the tensor's memory in the message: views of one memory stay views of one memory."""
        storage = tensor.untyped_storage()
        if storage._cdata not in self.places:
            content = torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(storage)
            self.places[storage._cdata] = (len(self.memory), storage)
            self.memory.append(content.cpu().numpy().tobytes())
        return self.places[storage._cdata][0]

    def _array(self, value: Any) -> Any:
        if value.dtype.kind not in "fiubc":
            raise Refused(f"a numpy array of {value.dtype}; expected numbers")
        content = np.ascontiguousarray(value).tobytes()
        return {"array": [value.dtype.str, list(value.shape), isinstance(value, np.ndarray), content]}


class Decoder:
    """Makes values of a tree that anybody may have forged."""

    def __init__(self, memory: list, reference: Callable[[Reference], Any] | None) -> None:
        self.memory = [_storage(content) for content in memory]
        self.reference = reference
        self.count = 0
        self.readers: dict[str, Callable[[Any, int], Any]] = {
            "dict": self._dict, "set": self._set, "frozenset": self._frozenset, "int": self._int,
            "torch": self._torch, "reference": self._reference,
            "meta": self._meta, "tensor": self._tensor, "leaf": self._leaf, "array": self._array,
        }  # fmt: skip

    def decode(self, value: Any, depth: int) -> Any:
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_VALUES:
            raise Refused(f"a value nested deeper than {MAX_DEPTH}, or of more than {MAX_VALUES} parts")
        kind = type(value)
        if kind in (str, bytes) and len(value) > MAX_TEXT:
            raise Refused(f"a {kind.__name__} of length {len(value)}; at most {MAX_TEXT} can be received")
        if value is None or kind in (bool, int, float, str, bytes):
            return value
        if kind is list:
            return [self.decode(item, depth + 1) for item in value]
        if kind is not dict or len(value) != 1:
            raise Refused("a value of unknown form")
        ((tag, content),) = value.items()
        if tag in self.readers:
            return self.readers[tag](content, depth)
        if tag not in _MAKERS:
            raise Refused(f"a value of unknown kind {str(tag)[:40]!r}")
        return _MAKERS[tag](*[self.decode(item, depth + 1) for item in _list(content)])

    def _dict(self, pairs: list, depth: int) -> dict:
        return {self.decode(key, depth + 1): self.decode(item, depth + 1) for key, item in _list(pairs)}

    def _set(self, items: list, depth: int) -> set:
        found = set()
        for item in _list(items):  # one by one: where all hashes collide it takes long, and a time limit must get in
            found.add(self.decode(item, depth + 1))
        return found

    def _frozenset(self, items: list, depth: int) -> frozenset:
        return frozenset(self._set(items, depth))

    def _int(self, text: str, depth: int) -> int:
        if len(text) > 5000:
            raise Refused("an int of more than 5000 digits")
        return int(text, 16)

    def _torch(self, name: str, depth: int) -> Any:
        if name in _TORCH:
            return _TORCH[name]
        return _DTYPES[name.removeprefix("torch.")] if name.startswith("torch.") else torch.device(name)

    def _reference(self, content: list, depth: int) -> Any:
        kind, number, sent = content
        if self.reference is None or (type(kind), type(number), type(sent)) != (str, int, bytes):
            raise Refused("a reference to an object, where only plain values are expected")
        return self.reference(Reference(kind[:200], number, sent))

    def _meta(self, content: list, depth: int) -> torch.Tensor:
        name, shape, grad, strides = content
        sizes, steps = _sizes(shape), _sizes(strides)
        return torch.empty_strided(sizes, steps, dtype=_DTYPES[name], device="meta").requires_grad_(grad is True)

    def _tensor(self, content: list, depth: int) -> torch.Tensor:
        name, shape, grad, strides, offset, place = content
        dtype, sizes, steps = _DTYPES[name], _sizes(shape), _sizes(strides)
        first, number = _sizes([offset, place])
        storage = self.memory[number]
        if len(sizes) != len(steps) or len(sizes) > MAX_DEPTH:
            raise Refused("a tensor whose shape and strides differ in length")
        extent = first + sum((n - 1) * step for n, step in zip(sizes, steps, strict=True)) + 1 if all(sizes) else 0
        if extent * dtype.itemsize > storage.nbytes() or not _is_moderate(sizes, dtype.itemsize):
            raise Refused("a tensor that does not fit its memory")
        tensor = torch.empty(0, dtype=dtype).set_(storage, first, sizes, steps)
        return tensor.requires_grad_() if grad is True else tensor

    def _leaf(self, content: list, depth: int) -> torch.Tensor:
        """A leaf with its gradient."""
        leaf, gradient = (self.decode(item, depth + 1) for item in _list(content))
        leaf.requires_grad_().grad = gradient
        return leaf

    def _array(self, content: list, depth: int) -> Any:
        name, shape, whole, data = content
        dtype, sizes = np.dtype(str(name)[:8]), _sizes(shape)
        if dtype.kind not in "fiubc" or not _is_moderate(sizes, dtype.itemsize):
            raise Refused("a numpy array of something other than numbers")
        array = np.frombuffer(bytearray(data), dtype).reshape(sizes)
        return array if whole else array[()]


_SEQUENCES = {tuple: "tuple", set: "set", frozenset: "frozenset", torch.Size: "size"}
_MAKERS: dict[str, Callable[..., Any]] = {
    **_LOG, "complex": complex, "slice": slice, "range": range,
    "tuple": lambda *items: items, "size": lambda *items: torch.Size(items),
}  # fmt: skip


def _storage(content: Any) -> torch.UntypedStorage:
    if type(content) is not bytes:
        raise Refused("memory that is not bytes")
    return (
        torch.frombuffer(bytearray(content), dtype=torch.uint8).untyped_storage()
        if content
        else torch.UntypedStorage(0)
    )


def _list(content: Any) -> list:
    if type(content) is not list:
        raise Refused("a value of unknown form")
    return content


def _sizes(values: Any) -> list[int]:
    if any(type(value) is not int or not 0 <= value < 2**40 for value in _list(values)):
        raise Refused("a shape, stride or offset that is no size")
    return values


def _is_moderate(sizes: list[int], itemsize: int) -> bool:
    """Whether a tensor, which strides of 0 can make far larger than its memory, is small enough to compute with."""
    count = itemsize
    for size in sizes:
        count *= size
    return count <= MAX_FRAME
