"""Plain values cross the wire unchanged, and nothing else crosses it."""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.inside import wire
from autograder.judge.memory import memory_limit
from lablib.check.log import Log, Operation, Run, Storage, View

PLAIN = (
    type(None), bool, int, float, str, bytes, complex, list, tuple, dict, set, frozenset, slice, range, torch.Size,
    torch.Tensor, np.ndarray, np.generic, torch.dtype, torch.device, torch.layout, torch.memory_format,
    Log, Operation, Run, Storage, View,
)  # fmt: skip
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn)
DTYPES = (*FLOATS, torch.complex64, torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool)


class Tape:
    """A socket whose two ends are one piece of memory."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)

    def sendall(self, data: bytes) -> None:
        self.data += data

    def recv(self, size: int) -> bytes:
        piece = bytes(self.data[:size])
        del self.data[:size]
        return piece


def crossed(value: Any) -> Any:
    tape = Tape()
    wire.send(tape, value)
    return wire.receive(tape)


def frame(body: bytes) -> Tape:
    return Tape(struct.pack("<Q", len(body)) + body)


def forged(tree: Any, memory: Any = ()) -> Tape:
    """A frame as somebody would make it who knows the format."""
    return frame(msgpack.packb({"tree": tree, "memory": list(memory)}))


def same(one: Any, other: Any) -> bool:
    """Whether two values are of one type and equal to the bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other)
    if isinstance(one, complex):
        return same(one.real, other.real) and same(one.imag, other.imag)
    if isinstance(one, torch.Tensor):
        form = [(t.dtype, t.shape, t.stride(), t.storage_offset(), t.requires_grad) for t in (one, other)]
        return form[0] == form[1] and memory_of(one) == memory_of(other)
    if isinstance(one, (np.ndarray, np.generic)):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, (set, frozenset)):  # NaN equals nothing, itself included
        left = list(other)
        for item in one:
            twin = next((index for index, candidate in enumerate(left) if same(item, candidate)), None)
            if twin is None:
                return False
            left.pop(twin)
        return not left
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def memory_of(tensor: torch.Tensor) -> bytes:
    return bytes(tensor.detach().untyped_storage())


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Tensors of any layout over a small piece of memory: transposed, overlapping, expanded, empty."""
    dtype = draw(st.sampled_from(DTYPES))
    content = draw(st.binary(min_size=dtype.itemsize, max_size=24 * dtype.itemsize))
    count = len(content) // dtype.itemsize
    if dtype == torch.bool:
        content = bytes(byte % 2 for byte in content)
    base = torch.frombuffer(bytearray(content[: count * dtype.itemsize]), dtype=dtype)
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    strides = draw(st.lists(st.integers(0, 4), min_size=len(shape), max_size=len(shape)))
    last = sum(max(size - 1, 0) * stride for size, stride in zip(shape, strides, strict=True))
    if last >= count:
        return base
    view = base.as_strided(shape, strides, draw(st.integers(0, count - 1 - last)))
    return view.requires_grad_() if dtype in FLOATS and draw(st.booleans()) else view


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    dtype = np.dtype(draw(st.sampled_from(["<f8", ">f8", "<f4", "<f2", "<i8", ">i4", "|u1", "|b1", "<c16"])))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    count = math.prod(shape) * dtype.itemsize
    content = draw(st.binary(min_size=count, max_size=count))
    if dtype.kind == "b":
        content = bytes(byte % 2 for byte in content)
    array = np.frombuffer(bytearray(content), dtype).reshape(shape) if content else np.zeros(shape, dtype)
    return array[()] if not shape and draw(st.booleans()) else array


hashable = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(2**80), 2**80) | st.floats() | st.text() | st.binary(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
leaves = (
    hashable | st.complex_numbers() | tensors() | arrays() | st.sampled_from(DTYPES) | st.builds(torch.device, st.just("cpu"))
    | st.builds(slice, st.integers(), st.none() | st.integers()) | st.builds(range, st.integers(-9, 9), st.integers(-9, 9))
    | st.builds(torch.Size, st.lists(st.integers(0, 2**40), max_size=4)) | st.sets(hashable, max_size=3)
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple) | st.dictionaries(hashable, inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(values)
@settings(max_examples=300, deadline=None)
def test_a_plain_value_crosses_to_the_bit(value: Any) -> None:
    assert same(crossed(value), value)


@given(st.lists(tensors(), min_size=1, max_size=3))
@settings(max_examples=50, deadline=None)
def test_a_log_crosses_with_its_types(some: list[torch.Tensor]) -> None:
    view = View(0, torch.float32, (2, 3), (3, 1), 0)
    events = [Operation("aten.add.Tensor", (view, 2), {"alpha": 1}, view), Run("k", "k", (1, 1, 1), {"x": view}, {})]
    log = Log([Storage(24, "argument"), Storage(3, "outside", some[0].detach())], events, (view, None))
    back = crossed(log)
    assert back.events == events
    assert back.value == log.value
    assert same(back.storages[1].content, some[0].detach())


def test_views_of_one_memory_stay_views_of_one_memory() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    whole, tail, turned = crossed([x, x[1:], x.T])
    tail.fill_(7.0)
    assert whole.tolist() == [[0.0, 1.0, 2.0], [7.0, 7.0, 7.0]]
    assert turned.tolist() == [[0.0, 7.0], [1.0, 7.0], [2.0, 7.0]]


def test_two_memories_stay_two() -> None:
    one, other = crossed([torch.zeros(3), torch.zeros(3)])
    one.fill_(1.0)
    assert other.tolist() == [0.0, 0.0, 0.0]


def test_a_leaf_brings_its_gradient() -> None:
    x = torch.ones(3, requires_grad=True)
    (2 * x).sum().backward()
    back = crossed(x)
    assert back.is_leaf and back.requires_grad
    assert back.grad.tolist() == [2.0, 2.0, 2.0]


def test_the_graph_behind_a_result_stays() -> None:
    back = crossed(2 * torch.ones(3, requires_grad=True))
    assert back.grad_fn is None and not back.requires_grad


@pytest.mark.parametrize("lazy", [torch.ones(2, dtype=torch.complex64).conj(), torch.tensor([1 + 2j]).conj().imag])
def test_a_lazy_conjugate_is_computed(lazy: torch.Tensor) -> None:
    assert torch.equal(crossed(lazy), lazy.clone())


def test_a_parameter_arrives_as_a_tensor() -> None:
    back = crossed(torch.nn.Parameter(torch.ones(2)))
    assert type(back) is torch.Tensor and back.requires_grad


def test_a_tensor_without_memory_keeps_its_form() -> None:
    back = crossed(torch.empty(2**30, 2**9, device="meta").T)
    assert (back.device.type, back.shape, back.stride()) == ("meta", (2**9, 2**30), (1, 2**9))


def test_a_reversed_array_arrives_in_order() -> None:
    assert crossed(np.arange(4)[::-1]).tolist() == [3, 2, 1, 0]


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


class Special(torch.Tensor):
    """A subclass could answer for itself."""


TOO_MUCH = [
    (lambda: nested(80), "nested deeper than 64"),
    (lambda: [None] * 2_000_001, "more than 2000000 parts"),
    (lambda: b"x" * (257 * 2**20), "a message of 257 MB"),
    (lambda: np.array([{}]), "a numpy array of object"),
    (lambda: np.array(["word"]), "a numpy array of <U4"),
    (lambda: np.array([(1, 2)], "i4,i4"), "a numpy array of"),
    (lambda: torch.ones(2).as_subclass(Special), "the subclass Special"),
    (lambda: torch.eye(2).to_sparse(), "layout torch.sparse_coo"),
    (lambda: "\ud800", "cannot be sent"),
    (lambda: object(), "an object of type object"),
    (lambda: type("Liar", (float,), {})(1.0), "an object of type Liar"),
    (lambda: print, "an object of type builtin_function_or_method"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "sentence"), TOO_MUCH, ids=[sentence for _, sentence in TOO_MUCH])
def test_what_is_no_plain_value_is_not_sent(make: Any, sentence: str) -> None:
    with pytest.raises(wire.Refused, match=sentence):
        wire.send(Tape(), make())


def tensor(shape: Any, strides: Any, offset: Any = 0, place: Any = 0, dtype: Any = "float32") -> dict:
    return {"tensor": [dtype, shape, False, strides, offset, place]}


FORGED = {
    "memory that is too small": (tensor([4], [1]), [b"123"]),
    "strides that lead out": (tensor([2, 2], [9, 1]), [bytes(16)]),
    "an offset that leads out": (tensor([2], [1], 3), [bytes(16)]),
    "a negative stride": (tensor([2], [-1], 1), [bytes(16)]),
    "a negative offset": (tensor([2], [1], -1), [bytes(16)]),
    "a negative place": (tensor([2], [1], 0, -1), [bytes(16)]),
    "a size that overflows": (tensor([2**39, 2**39], [0, 0]), [bytes(4)]),
    "more elements than any message has": (tensor([2**30], [0]), [bytes(4)]),
    "a size that is no number": (tensor([True, 2.0], [1, 1]), [bytes(16)]),
    "shape and strides of two lengths": (tensor([2], [1, 1]), [bytes(16)]),
    "a dtype that there is not": (tensor([1], [1], dtype="object"), [bytes(16)]),
    "a dtype of another kind": (tensor([1], [1], dtype=["float32"]), [bytes(16)]),
    "memory that is no bytes": (tensor([1], [1]), ["text"]),
    "memory that is not there": (tensor([1], [1], 0, 5), [bytes(16)]),
    "a gradient of another shape": ({"leaf": [tensor([1], [1]), tensor([3], [1])]}, [bytes(16)]),
    "a leaf that is a number": ({"leaf": [1, 2]}, []),
    "an array of objects": ({"array": ["|O", [1], True, bytes(8)]}, []),
    "an array of structures": ({"array": ["i4,i4", [1], True, bytes(8)]}, []),
    "an array of dates": ({"array": ["<M8[s]", [1], True, bytes(8)]}, []),
    "an array that is too short": ({"array": ["<f8", [9], True, bytes(8)]}, []),
    "a kind that there is not": ({"pickle": [b"cos\nsystem\n"]}, []),
    "a reference where none is expected": ({"reference": ["instance:A", 1, b""]}, []),
    "two kinds in one": ({"tuple": [], "set": []}, []),
    "no kind at all": ({}, []),
    "a dict of one column": ({"dict": [[1]]}, []),
    "a key that cannot be one": ({"dict": [[[1], 2]]}, []),
    "an item of a set that cannot be one": ({"set": [[1]]}, []),
    "a log with a field too many": ({"log": [[], [], None, 1]}, []),
    "an int of a million digits": ({"int": "f" * 10**6}, []),
    "an int that is none": ({"int": ["1"]}, []),
    "a device that there is not": ({"torch": "quantum:0"}, []),
    "a text of a gigabyte's tenth": ("x" * (100 * 2**20), []),
    "a tree of a hundred levels": (nested(100), []),
    "two million parts and one": ([0] * 2_000_001, []),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_value_is_refused(name: str) -> None:
    with pytest.raises(wire.Refused):
        wire.receive(forged(*FORGED[name]))


FRAMES = {
    "no map": msgpack.packb([1, 2]),
    "a map without a tree": msgpack.packb({"memory": []}),
    "a map with more than that": msgpack.packb({"tree": 1, "memory": [], "more": 1}),
    "an extension": msgpack.packb({"tree": msgpack.ExtType(3, b"x"), "memory": []}),
    "a map with a key that is a list": b"\x81\x91\x01\x01",
    "text that is no UTF-8": b"\x82\xa4tree\xa1\xff\xa6memory\x90",
    "two messages in one": bytes(msgpack.packb([1]) or b"") * 2,
    "an array that claims four thousand million items": b"\xdd\xff\xff\xff\xff",
    "a thousand levels": b"\x91" * 1000 + b"\x01",
    "nothing": b"",
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_forged_frame_is_refused(name: str) -> None:
    with pytest.raises(wire.Refused):
        wire.receive(frame(FRAMES[name]))


def test_a_claim_of_too_many_bytes_is_refused_before_they_come() -> None:
    with pytest.raises(wire.Refused, match="a message of 18446744073709551615 bytes"):
        wire.receive(Tape(b"\xff" * 8))


@pytest.mark.parametrize("data", [b"", b"\x05", struct.pack("<Q", 200 * 2**20) + b"a few bytes"])
def test_an_end_in_the_middle_of_a_message_is_an_end(data: bytes) -> None:
    with pytest.raises(wire.Closed):
        wire.receive(Tape(data))


def received(tape: Tape) -> Any:
    """What comes of a tape: a value, or the exception if it is one of the two that may be."""
    try:
        return wire.receive(tape)
    except (wire.Refused, wire.Closed) as error:
        return error


def parts(value: Any) -> list:
    """The value with everything in it."""
    if isinstance(value, (Log, Operation, Run, Storage, View)):
        inner = list(vars(value).values())
    elif isinstance(value, dict):
        inner = [*value, *value.values()]
    else:
        inner = list(value) if isinstance(value, (list, tuple, set, frozenset)) else []
    return [value, *(part for item in inner for part in parts(item))]


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=300, deadline=None)
def test_random_bytes_are_refused_or_plain(data: bytes, framed: bool) -> None:
    found = received(frame(data) if framed else Tape(data))
    assert isinstance(found, (wire.Refused, wire.Closed)) or all(isinstance(part, PLAIN) for part in parts(found))


@given(values, st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_message_is_refused_or_plain(value: Any, data: st.DataObject) -> None:
    tape = Tape()
    wire.send(tape, value)
    for _ in range(data.draw(st.integers(1, 4), label="damages")):
        place = data.draw(st.integers(8, len(tape.data) - 1), label="place")
        tape.data[place] = data.draw(st.integers(0, 255), label="byte")
    found = received(tape)
    assert isinstance(found, (wire.Refused, wire.Closed)) or all(isinstance(part, PLAIN) for part in parts(found))


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**64 - 1) | st.floats() | st.sampled_from(["float32", "<f8", "cpu"]) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=6)
    | st.tuples(st.sampled_from([
        "dict", "set", "frozenset", "int", "torch", "reference", "meta", "tensor", "leaf", "array", "log", "operation",
        "run", "storage", "view", "complex", "slice", "range", "tuple", "size",
    ]), st.lists(inner, max_size=6)).map(lambda pair: {pair[0]: pair[1]}),
    max_leaves=20,
)  # fmt: skip


@given(junk, st.lists(st.binary(max_size=30) | st.none(), max_size=3))
@settings(max_examples=500, deadline=None)
def test_a_message_of_known_kinds_with_odd_contents_is_refused_or_plain(tree: Any, memory: list) -> None:
    found = received(forged(tree, memory))
    assert isinstance(found, (wire.Refused, wire.Closed)) or all(isinstance(part, PLAIN) for part in parts(found))


def test_a_message_for_which_no_memory_is_left_is_refused() -> None:
    class Flood(Tape):
        """Gives its data, then zeros without end."""

        def recv(self, size: int) -> bytes:
            return super().recv(size) or bytes(size)

    status = Path("/proc/self/status").read_text()
    held = 1024 * int(re.search(r"^VmData:\s+(\d+) kB", status, re.M)[1])  # pyright: ignore[reportOptionalSubscript]
    with memory_limit(held + 64 * 2**20), pytest.raises(wire.Refused, match=r"cannot be read \(MemoryError\)"):
        wire.receive(Flood(struct.pack("<Q", 200 * 2**20)))
