"""Answer the judge's requests: call the hand-in's functions, read their objects, record what a call does.

Everything here may lie, since the hand-in's code runs in the same process; the judge takes its answers as such.
"""

from __future__ import annotations

import inspect
import os
import pickle
import random
import socket
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from autograder.inside import wire
from autograder.inside.alone import alone
from lablib.check.observe import recorded
from lablib.gpu import errors
from lablib.gpu.trace import tracing

MAX_OBJECTS = 10_000
MAX_MESSAGE = 4000


class Server:
    """Serves one test cell over its own socket.

    Parameters
    ----------
    sock
        To the judge.
    names
        The namespace that the hand-in's cells filled.
    """

    def __init__(self, sock: socket.socket, names: dict[str, Any]) -> None:
        self.sock, self.names = sock, names
        self.objects: dict[int, Any] = {}
        self.graphs: dict[int, tuple[list, list]] = {}
        self.requests = {
            "call": self.call, "get": self.get, "iterate": self.iterate, "next": self.next, "length": self.length,
            "item": self.item, "backward": self.backward, "record": self.record, "seed": self.seed,
            "modules": self.modules,
        }  # fmt: skip

    def run(self) -> None:
        """Answer until the judge closes the socket."""
        while True:
            try:
                self.answer(wire.receive(self.sock, self.resolve))
            except wire.Closed:
                return

    def answer(self, request: dict[str, Any]) -> None:
        if request.pop("aside", False):
            self.answer_aside(request)
            return
        try:
            with alone():
                answer = self.requests[request.pop("do")](**request)
            wire.send(self.sock, {"answer": answer}, self.refer)
        except wire.Closed:
            raise
        except BaseException as error:  # a student's sys.exit() is an answer like any other
            wire.send(self.sock, {"error": described(error)})

    def answer_aside(self, request: dict[str, Any]) -> None:
        """Answer in a fork: what the call does to the hand-in's objects does not stay."""
        child = os.fork()
        if child == 0:
            try:
                self.answer(request)
            finally:
                os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            raise wire.Closed

    def target(self, on: Any, attribute: str | None = None) -> Any:
        if isinstance(on, str) and on not in self.names:
            raise NameError(f"name {on!r} is not defined: its cell did not define it")
        found = self.names[on] if isinstance(on, str) else on
        return getattr(found, attribute) if attribute else found

    def call(self, on: Any, attribute: str | None, args: tuple, kwargs: dict, grad: bool, inout: list[int]) -> dict:
        tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        before = [_bits(t) for t in tensors]
        # Traced, a kernel touches no memory but its arguments', and cannot end this process by it.
        with torch.set_grad_enabled(grad), tracing():
            value = errors.call(self.target(on, attribute), args, kwargs)
        changed = [i for i, t in enumerate(tensors) if not torch.equal(before[i], _bits(t))]
        answer: dict[str, Any] = {"value": value, "changed": [i for i in changed if i not in inout]}
        answer["inout"] = [tensors[i].detach() for i in inout]
        outputs = [t for t in tree_leaves(value) if isinstance(t, torch.Tensor)]
        with_graph = [i for i, t in enumerate(outputs) if t.requires_grad and t.grad_fn is not None]
        answer["graph"] = None
        if with_graph:
            answer["graph"] = self.keep(self.graphs, ([outputs[i] for i in with_graph], tensors))
            answer["with_graph"] = with_graph
        return answer

    def get(self, on: Any, attribute: str | None) -> Any:
        return self.target(on, attribute)

    def iterate(self, on: Any) -> Any:
        return iter(self.target(on))

    def next(self, on: Any) -> dict[str, Any]:
        try:
            return {"value": next(on)}
        except StopIteration:
            return {}

    def length(self, on: Any) -> int:
        return len(self.target(on))

    def item(self, on: Any, key: Any) -> Any:
        return self.target(on)[key]

    def backward(self, graph: int, gradients: list) -> list:
        outputs, inputs = self.graphs[graph]
        leaves = [t for t in inputs if t.requires_grad]
        earlier = [t.grad for t in leaves]
        for leaf in leaves:
            leaf.grad = None
        torch.autograd.backward(outputs, gradients, retain_graph=True)
        found = {id(t): t.grad for t in leaves}
        for leaf, gradient in zip(leaves, earlier, strict=True):
            leaf.grad = gradient
        return [found.get(id(t)) for t in inputs]

    def record(self, on: Any, attribute: str | None, args: tuple, kwargs: dict, seed: int, run_kernels: bool) -> Any:
        self.seed(seed)
        return recorded(self.target(on, attribute), args, kwargs, run_kernels)

    def seed(self, value: int) -> None:
        seed_all(value)

    def modules(self) -> list[str]:
        return sorted(sys.modules)

    def keep(self, where: dict[int, Any], value: Any) -> int:
        if len(where) >= MAX_OBJECTS:
            raise wire.Refused(f"more than {MAX_OBJECTS} objects in one test")
        number = len(where) + 1
        where[number] = value
        return number

    def refer(self, value: Any) -> wire.Reference:
        """What stands for an object that the wire does not carry."""
        if isinstance(value, torch.nn.Module):
            kind = f"module:{type(value).__name__}"
        elif isinstance(value, type):
            kind = f"class:{value.__name__}"
        elif inspect.isroutine(value):
            kind = "function"
        elif isinstance(value, Iterator):
            kind = "iterator"
        else:
            kind = f"instance:{type(value).__name__}"
        return wire.Reference(kind, self.keep(self.objects, value))

    def resolve(self, reference: wire.Reference) -> Any:
        """What the judge means: an object from here, a function of its own, or an object that it sends whole."""
        if reference.kind == "callback":
            return lambda *args, **kwargs: self.call_back(reference.number, args, kwargs)
        if reference.kind == "pickle":
            return pickle.loads(reference.content)
        return self.objects[reference.number]

    def call_back(self, number: int, args: tuple, kwargs: dict) -> Any:
        """Call a function that the test passed; the test may ask for more before it answers."""
        wire.send(self.sock, {"callback": number, "args": args, "kwargs": kwargs}, self.refer)
        while True:
            message = wire.receive(self.sock, self.resolve)
            if "do" in message:
                self.answer(message)
            elif "error" in message:
                raise RuntimeError(message["error"])
            else:
                return message["value"]


def seed_all(value: int) -> None:
    """Seed torch, numpy and random."""
    torch.manual_seed(value)
    np.random.seed(value % 2**32)
    random.seed(value)


def described(error: BaseException) -> dict[str, Any]:
    """An exception as plain values: its classes, the most special first, and its message."""
    try:
        message = str(error)[:MAX_MESSAGE]
    except BaseException:
        message = "its message cannot be shown"
    frames = traceback.extract_tb(error.__traceback__)
    cells = [frame.lineno for frame in frames if "ipython-input" in frame.filename]
    classes = [kind.__name__ for kind in type(error).__mro__]
    return {"classes": classes, "message": message, "line": cells[-1] if cells else None}


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    """A copy of a tensor's bytes."""
    if tensor.device.type == "meta":
        return torch.empty(0)
    return tensor.detach().clone(memory_format=torch.contiguous_format).view(-1).view(torch.uint8)
