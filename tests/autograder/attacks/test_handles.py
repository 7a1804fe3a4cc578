"""Attacks by what a function returns: objects that answer for themselves, odd types, odd numbers."""

from __future__ import annotations

import pytest

from autograder.judge.judge import TimeLimits

from .conftest import RING, hand_ins

AGREEABLE = """
class Agreeable:
    def __eq__(self, other):
        return True

    def __getattr__(self, name):
        return Agreeable()

    def __call__(self, *args, **named):
        return self

    __ne__ = __lt__ = lambda self, other: False
    __le__ = __gt__ = __ge__ = __bool__ = lambda self, *other: True
    __sub__ = __rsub__ = __abs__ = __neg__ = lambda self, *other: 0.0
    __hash__ = lambda self: 1
    __len__ = __int__ = __index__ = lambda self: 4
    __float__ = lambda self: 0.0
    __iter__ = lambda self: iter([1, 2, 3, 4])
    __array__ = lambda self, *args, **named: __import__("numpy").zeros(3)
"""
SUBCLASSES = """
import enum


class Same(dict):
    __eq__ = lambda self, other: True
    keys = lambda self: Same()


class Number(int):
    __eq__ = lambda self, other: True
    __hash__ = lambda self: 0


class Anything(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return torch.ones(1, dtype=torch.bool)


class Two(enum.IntEnum):
    VALUE = 2
"""

RETURNED = {
    # what comes back, from which function, in which cell
    "an object that equals everything": ("tally", AGREEABLE + "\n\ndef tally(items):\n    return Agreeable()"),
    "a list of objects that equal everything": ("tally", AGREEABLE + "\n\ndef tally(items):\n    return [Agreeable()]"),
    "a dict of objects that equal everything": (
        "tally", AGREEABLE + "\n\ndef tally(items):\n    return dict.fromkeys(items, Agreeable())"),
    "a dict whose class says that it is equal": ("tally", SUBCLASSES + "\n\ndef tally(items):\n    return Same()"),
    "ints that equal everything": (
        "tally", SUBCLASSES + "\n\ndef tally(items):\n    return {i: Number(items.count(i)) for i in items}"),
    "enums for ints": (
        "tally", SUBCLASSES + "\n\ndef tally(items):\n    return {3: Two.VALUE, 1: 1}"),
    "floats for ints": ("tally", "def tally(items):\n    return {i: float(items.count(i)) for i in items}"),
    "truths for ones": ("tally", "def tally(items):\n    return {i: items.count(i) == 1 or items.count(i) for i in items}"),
    "numpy's ints": ("tally", "import numpy\n\n\ndef tally(items):\n    return {i: numpy.int64(items.count(i)) for i in items}"),
    "tensors for ints": ("tally", "def tally(items):\n    return {i: torch.tensor(items.count(i)) for i in items}"),
    "pairs for a dict": ("tally", "def tally(items):\n    return [(i, items.count(i)) for i in items]"),
    "a Counter": ("tally", "def tally(items):\n    return Counter(items)"),
    "a proxy of a dict": ("tally", "import types\n\n\ndef tally(items):\n    return types.MappingProxyType({3: 2, 1: 1})"),
    "a function": ("tally", "def tally(items):\n    return lambda: {3: 2, 1: 1}"),
    "a class": ("tally", "def tally(items):\n    return dict"),
    "a generator": ("tally", "def tally(items):\n    yield {3: 2, 1: 1}"),
    "a coroutine": ("tally", "async def tally(items):\n    return {3: 2, 1: 1}"),
    "nothing": ("tally", "def tally(items):\n    pass"),
    "NotImplemented": ("tally", "def tally(items):\n    return NotImplemented"),
    "an int of ten thousand digits": ("tally", "def tally(items):\n    return {3: 10**10_000, 1: 1}"),
    "half a character": ("tally", "def tally(items):\n    return {3: '\\ud800', 1: 1}"),
    "a list that holds itself": ("tally", "def tally(items):\n    found = []\n    found.append(found)\n    return found"),
    "a dict with a key for every hash": (
        "tally", "def tally(items):\n    return {i * (2**61 - 1): 0 for i in range(2000)}"),
    "a log for a dict": ("tally", "from lablib.check.log import Log\n\n\ndef tally(items):\n    return Log([], [], {3: 2, 1: 1})"),
    "a tensor that answers for itself": (
        "standardize", SUBCLASSES + "\n\ndef standardize(x):\n    return torch.zeros_like(x).as_subclass(Anything)"),
    "NaN": ("standardize", "def standardize(x):\n    return torch.full_like(x, float('nan'))"),
    "infinity": ("standardize", "def standardize(x):\n    return torch.full_like(x, float('inf'))"),
    "a tensor without memory": ("standardize", "def standardize(x):\n    return torch.empty_like(x, device='meta')"),
    "a tensor of one number seen everywhere": (
        "standardize", "def standardize(x):\n    return torch.zeros(1).expand(x.shape)"),
    "the right numbers in float64": (
        "standardize", "def standardize(x):\n    x = x.double()\n    return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)"),
    "the right numbers in a list": (
        "standardize", "def standardize(x):\n    return ((x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)).tolist()"),
    "the right numbers in an array": (
        "standardize", "def standardize(x):\n    return ((x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)).numpy()"),
    "the right numbers in a row": (
        "standardize", "def standardize(x):\n    return ((x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)).flatten()"),
    "a sparse tensor": ("standardize", "def standardize(x):\n    return torch.zeros_like(x).to_sparse()"),
    "its own argument": ("standardize", "def standardize(x):\n    return x"),
    "NaN for a root": ("crossing", "def crossing(f, low, high, steps):\n    [f(1.0) for _ in range(steps)]\n    return float('nan')"),
    "an object for a root": (
        "crossing", AGREEABLE + "\n\ndef crossing(f, low, high, steps):\n    [f(1.0) for _ in range(steps)]\n    return Agreeable()"),
    "the function's own zero, asked too often": (
        "crossing", "def crossing(f, low, high, steps):\n    a, b = f(0.0), f(1.0)\n    [f(0.0) for _ in range(steps)]\n    return -a / (b - a)"),
    "the function's own zero, asked too rarely": (
        "crossing", "def crossing(f, low, high, steps):\n    a, b = f(0.0), f(1.0)\n    return -a / (b - a)"),
    "a length that is a truth": ("ring", RING + "\n    __len__ = lambda self: True"),
    "a length that is negative": ("ring", RING + "\n    __len__ = lambda self: -1"),
    "a length that is too long": ("ring", RING + "\n    __len__ = lambda self: 2**70"),
    "a ring that is a list": ("ring", "class Ring(list):\n    push, oldest = list.append, lambda self: self[-4:][0]"),
    "a ring that becomes another class": (
        "ring", AGREEABLE + RING + "\n    def oldest(self):\n        self.__class__ = Agreeable\n        return self"),
    "a ring that returns itself": ("ring", RING + "\n    def oldest(self):\n        return self"),
    "a ring whose items equal everything": ("ring", SUBCLASSES + RING + "\n    def oldest(self):\n        return Number(0)"),
    "a ring that counts its own calls": (
        "ring", "class Ring:\n    def __init__(self, capacity):\n        self.pushes = 0\n"
        "    def push(self, value):\n        self.pushes += 1\n    def oldest(self):\n        return self.pushes\n"
        "    def __len__(self):\n        return min(self.pushes, 4)\n    def __iter__(self):\n        return iter([1, 2, 3, 4])"),
    "a function for a class": ("ring", AGREEABLE + "\n\ndef Ring(capacity):\n    return Agreeable()"),
    "a module for a class": ("ring", "Ring = torch"),
}  # fmt: skip


@pytest.mark.parametrize("answers", hand_ins(RETURNED).values(), ids=hand_ins(RETURNED))
def test_what_is_no_right_value_earns_nothing(bar, answers: dict[str, str]) -> None:
    assert bar.scores(answers) == bar.full(*[f"test_{cell}" for cell in answers])


REFERENCES = {
    "a function of the test": "Reference('callback', 0)",
    "a pickle": "Reference('pickle', 0, b\"cos\\nsystem\\n(S'true'\\ntR.\")",
    "a pickle in a ring's clothes": "Reference('instance:Ring', 0, b\"cos\\nsystem\\n(S'true'\\ntR.\")",
    "a ring that there is not": "Reference('instance:Ring', 99_999)",
    "a class with a long name": "Reference('instance:' + 'A' * 100_000, 1)",
    "a class with a name of zeros": "Reference('instance:\\0', 1)",
    "a kind that there is not": "Reference('judge', -1)",
    "a number that is text": "Reference('instance:Ring', 'one')",
}


@pytest.mark.parametrize("name", REFERENCES)
def test_a_forged_reference_earns_nothing(bar, name: str) -> None:
    source = f"from autograder.inside.wire import Reference\n\n\ndef tally(items):\n    return {REFERENCES[name]}"
    assert bar.scores({"tally": source}) == bar.full("test_tally")


IDENTITIES = {
    "is true": "assert answer(1), 'no'",
    "differs from everything": "assert answer(1) != answer(2), 'no'",
    "is in no list": "assert answer(1) not in [answer(2)], 'no'",
    "makes a set of as many": "assert len({answer(i) for i in range(5)}) == 5, 'no'",
    "makes a dict of as many": "assert len(dict.fromkeys([answer(1), answer(2)])) == 2, 'no'",
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_an_object_without_a_contract_has_no_identity(judged, name: str) -> None:
    status, message = judged("def answer(n):\n    return n", IDENTITIES[name], "def answer(n):\n    return object()")
    assert status == "failed"
    assert "a test may not ask" in message


def test_an_iterator_that_never_ends_costs_its_own_test_only(bar) -> None:
    endless = RING + "\n    def __iter__(self):\n        while True:\n            yield 1"
    times = TimeLimits(cell=10.0, test=1.5, total=60.0)
    assert bar.scores({"ring": endless}, times=times) == bar.full("test_ring")
