"""Proxies: what a test sees of a hand-in's functions, classes and objects.

They read like the real thing. What cannot be said through them is refused with a sentence for the lab's author.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from autograder.inside import wire
from autograder.judge.channel import Channel, Ended
from autograder.judge.contracts import MODULE_METHODS, Contracts

OPERATORS = frozenset({
    f"__{prefix}{name}__" for prefix in ("", "r") for name in ("add", "sub", "mul", "truediv", "matmul", "pow")
} | {"__neg__", "__lt__", "__le__", "__gt__", "__ge__"})  # fmt: skip
"""Operators that work on a student's objects when the contract declares them."""

ITERATOR_METHODS = frozenset({"__next__", "__iter__"})
Observe = Callable[[Channel, Any, str | None, tuple, dict[str, Any]], Any]


class Proxy:
    """Something of the hand-in: a name that its cells define, or an object that it returned.

    Attribute access reads plain values; calls go to the hand-in's process.
    """

    def __init__(self, ask: Callable[[], Channel], on: Any, kind: str, methods: frozenset[str], court: Court) -> None:
        own = {"_ask": ask, "_on": on, "_kind": kind, "_methods": methods, "_court": court}
        self.__dict__.update(own, __name__=on if isinstance(on, str) else kind)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if "__call__" not in self._methods and self._kind not in ("name", "function"):
            raise wire.Refused(f"a call of a {self._kind}, whose contract declares no __call__")
        return self._ask().call(self._on, None, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._methods:
            return Method(self, name)
        value = self._ask().ask("get", on=self._on, attribute=name)
        if isinstance(value, Proxy) and value._kind == "function":
            raise wire.Refused(f"the method {name} of a {self._kind}, which its contract does not declare")
        return value

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise wire.Refused(f"setting .{name} of a student's object: pass it to a function or a method instead")

    def __iter__(self) -> Iterator[Any]:
        return self._ask().ask("iterate", on=self._on)

    def __next__(self) -> Any:
        answer = self._ask().ask("next", on=self._on)
        if "value" not in answer:
            raise StopIteration
        return answer["value"]

    def __len__(self) -> int:
        length = self._ask().ask("length", on=self._on)
        if type(length) is not int or length < 0:
            raise AssertionError(f"len() of the student's {self._kind} is no length")
        return length

    def __getitem__(self, key: Any) -> Any:
        return self._ask().ask("item", on=self._on, key=key)

    def __bool__(self) -> NoReturn:
        raise wire.Refused(f"the truth of a student's {self._kind}: compare plain values")

    def __eq__(self, other: object) -> NoReturn:
        raise wire.Refused(f"== on a student's {self._kind}: compare plain values with check.equal")

    __hash__ = object.__hash__

    def __observe__(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        return self._court.observe(self._ask(), self._on, None, args, kwargs)

    def __launches__(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        return self._court.launches(self._ask(), self._on, None, args, kwargs)

    def __reference__(self) -> wire.Reference:
        if isinstance(self._on, wire.Reference):
            return self._on
        found = self._ask().ask("get", on=self._on, attribute=None)
        if not isinstance(found, Proxy):
            raise wire.Refused(f"the student's {self._on} is a plain value and cannot be passed on as an object")
        return found._on


class Undeclared:
    """An object of a class that no contract declares: it can be ignored, and nothing else."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse(f".{name}")

    def __bool__(self) -> NoReturn:
        self._refuse("its truth")

    def __eq__(self, other: object) -> NoReturn:
        self._refuse("whether it equals something")

    def __hash__(self) -> NoReturn:
        self._refuse("its hash")

    def _refuse(self, what: str) -> NoReturn:
        raise wire.Refused(
            f"the answer returns a {type(self).__name__} object, of which a test may not ask {what}: expected plain "
            "values, or a class that the contract declares"
        )


class Method:
    """A declared method of a student's object."""

    def __init__(self, proxy: Proxy, name: str) -> None:
        self.proxy, self.__name__ = proxy, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.proxy._ask().call(self.proxy._on, self.__name__, args, kwargs)

    def __observe__(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        return self.proxy._court.observe(self.proxy._ask(), self.proxy._on, self.__name__, args, kwargs)

    def __launches__(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        return self.proxy._court.launches(self.proxy._ask(), self.proxy._on, self.__name__, args, kwargs)


class Court:
    """Makes the proxies of one hand-in, and knows which channel is open.

    Parameters
    ----------
    contracts
        What the lab declares.
    observe, launches
        Run a call under observation; see `autograder.judge.observing`.
    """

    def __init__(self, contracts: Contracts, observe: Observe, launches: Observe) -> None:
        self.contracts, self.observe, self.launches = contracts, observe, launches
        self.channel: Channel | None = None

    def open_channel(self) -> Channel:
        if self.channel is None:
            raise Ended("the hand-in can be asked in test cells only")
        return self.channel

    def name(self, name: str) -> Proxy:
        """The proxy of a name that the hand-in's cells define."""
        return Proxy(self.open_channel, name, "name", self.contracts.classes.get(name, frozenset()), self)

    def object(self, channel: Channel, reference: wire.Reference) -> Proxy | Undeclared:
        """The proxy of an object that the hand-in returned, if a contract declares such objects."""

        def ask() -> Channel:
            if channel is not self.channel:
                raise wire.Refused("a student's object of another test: make it again in this one")
            return channel

        form, _, name = reference.kind.partition(":")
        kind, methods = name or form, self.contracts.classes.get(name)
        if form == "module":
            methods = MODULE_METHODS | (methods or frozenset())
        elif form == "iterator":
            methods = ITERATOR_METHODS
        elif form == "function":
            methods = frozenset({"__call__"})
        if methods is None or form not in ("module", "iterator", "function", "instance", "class"):
            return type(kind, (Undeclared,), {})()
        operators = {name: _operator(name) for name in methods & OPERATORS}
        return type(kind, (Proxy,), operators)(ask, reference, kind, methods, self)


def _operator(name: str) -> Callable[..., Any]:
    return lambda proxy, *operands: Method(proxy, name)(*operands)
