"""The judge's end of one test's socket: ask, and decode what comes back."""

from __future__ import annotations

import builtins
import io
import pickle
import socket
import types
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map

from autograder.inside import wire
from autograder.judge import gradients
from lablib.check.contract import is_inout
from lablib.check.random import seeding

_SENT_WHOLE = ("torch", "numpy", "lablib")


class StudentError(Exception):
    """The hand-in's code raised an exception of a class that is not one of Python's own."""


class Ended(BaseException):
    """The hand-in's process is gone; no test may take this for an exception of the student's code."""


class Channel:
    """Asks the sandbox on behalf of one test cell.

    Parameters
    ----------
    sock
        To the snapshot of the hand-in that serves the test.
    proxy
        Makes a proxy of a reference that came from the sandbox.
    setup_classes
        Classes that setup cells define: the sandbox has them too.
    """

    def __init__(
        self, sock: socket.socket, proxy: Callable[[Channel, wire.Reference], Any], setup_classes: frozenset[type]
    ) -> None:
        self.sock, self._proxy, self._setup_classes = sock, proxy, setup_classes
        self._callbacks: list[Callable[..., Any]] = []
        self.seeding = seeding()
        self._failed: AssertionError | None = None

    def ask(self, do: str, **request: Any) -> Any:
        """Send a request, serve the callbacks that it leads to, and return its answer."""
        if do != "seed" and seeding() != self.seeding:
            self.seeding = seeding()
            self.ask("seed", value=self.seeding[1])
        try:
            wire.send(self.sock, {"do": do, **request}, self.refer)
            message = self._receive()
            while "callback" in message:
                self._serve(message)
                message = self._receive()
        except wire.Closed:
            raise Ended("the hand-in's process ended during this test") from None
        if self._failed is not None:
            raise self._failed
        if "error" in message:
            raise student_error(message["error"])
        return message["answer"]

    def call(self, on: Any, attribute: str | None, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Call a function of the hand-in; its result, with gradients where the arguments ask for them."""
        tensors = tensors_of((args, kwargs))
        inout = [index for index, tensor in enumerate(tensors) if is_inout(tensor)]
        given, named = as_leaves((args, kwargs))
        answer = self.ask(
            "call", on=on, attribute=attribute, args=given, kwargs=named, grad=torch.is_grad_enabled(), inout=inout
        )
        self.write_back(tensors, inout, answer["inout"])
        if answer["changed"]:
            raise AssertionError(
                f"{attribute or getattr(on, '__name__', on)} modified tensor {answer['changed'][0]} of its arguments; "
                "its result needs memory of its own."
            )
        if answer["graph"] is None:
            return answer["value"]
        return gradients.connect(self, answer["graph"], answer["with_graph"], answer["value"], tensors)

    @staticmethod
    def write_back(tensors: list[torch.Tensor], inout: list[int], values: list[Any]) -> None:
        """Put what the call left in the arguments that it was to modify into the test's own tensors."""
        for index, value in zip(inout, values, strict=True):
            mine = tensors[index]
            if type(value) is not torch.Tensor or (value.shape, value.dtype) != (mine.shape, mine.dtype):
                raise wire.Refused("an argument came back with another shape or dtype")
            with torch.no_grad():
                mine.copy_(value)

    def refer(self, value: Any) -> Any:
        """What stands for something that a test passes and the wire does not carry."""
        reference = getattr(type(value), "__reference__", None)
        if reference is not None:
            return reference(value)
        if isinstance(value, (types.FunctionType, types.MethodType, types.BuiltinFunctionType)):
            self._callbacks.append(value)
            return wire.Reference("callback", len(self._callbacks) - 1)
        if type(value).__module__.partition(".")[0] in _SENT_WHOLE or type(value) in self._setup_classes:
            return wire.Reference("pickle", 0, _pickled(value))
        raise wire.Refused(
            f"a test passes {'a generator: pass a list, or a function' if _is_lazy(value) else _named(value)}"
        )

    def _receive(self) -> dict[str, Any]:
        message = wire.receive(self.sock, lambda reference: self._proxy(self, reference))
        if type(message) is not dict or len(message.keys() & {"answer", "error", "callback"}) != 1:
            raise wire.Refused("an answer of unknown form")
        return message

    def _serve(self, message: dict[str, Any]) -> None:
        """Call a function of the test for the hand-in; an assertion that fails there fails the test."""
        try:
            function = self._callbacks[message["callback"]]
            reply: dict[str, Any] = {"value": function(*message["args"], **message["kwargs"])}
            wire.send(self.sock, reply, self.refer)
        except AssertionError as error:
            self._failed = error
            wire.send(self.sock, {"error": str(error)})
        except (wire.Closed, wire.Refused):
            raise
        except Exception as error:
            wire.send(self.sock, {"error": f"{type(error).__name__}: {error}"})


def student_error(described: Any) -> Exception:
    """The exception that a test sees: of the same class when that is one of Python's own."""
    if type(described) is not dict or type(described.get("classes")) is not list:
        return wire.Refused("an error of unknown form")
    classes, message = described["classes"], described.get("message")
    if any(type(text) is not str for text in [*classes, message]):
        return wire.Refused("an error of unknown form")
    if classes[:1] == ["Refused"]:
        return wire.Refused(f"the answer returns {message}, which a test cannot be given")
    known = (getattr(builtins, name, None) for name in classes)
    kind = next((k for k in known if isinstance(k, type) and issubclass(k, Exception)), StudentError)
    named = f"{classes[0] if classes else 'an error'}: {message}"
    if kind in (StudentError, Exception, AssertionError, StopIteration, StopAsyncIteration):
        return StudentError(named)  # a StopIteration would quietly end the test's own loops
    try:
        return kind(message if kind.__name__ == classes[0] else named)
    except TypeError:  # such as UnicodeDecodeError, which wants five arguments
        return StudentError(named)


def tensors_of(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def as_leaves(tree: Any) -> Any:
    """The tree with a leaf for each tensor that asks for a gradient: the graph before it stays here."""
    return tree_map(
        lambda t: t.detach().requires_grad_() if isinstance(t, torch.Tensor) and t.requires_grad else t, tree
    )


def _pickled(value: Any) -> bytes:
    file = io.BytesIO()
    try:
        pickle.dump(value, file)
    except Exception as error:
        raise wire.Refused(f"a test passes a {type(value).__name__}, which cannot be sent ({error})") from None
    return file.getvalue()


def _is_lazy(value: Any) -> bool:
    return hasattr(value, "__next__")


def _named(value: Any) -> str:
    return f"an object of type {type(value).__name__}, which the sandbox does not have: pass plain values or functions"
