"""Run logs again in a clean process, under the checks' own eyes, and tell what they moved and computed."""

from __future__ import annotations

import pickle
import socket
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_leaves, tree_map

from autograder.inside import wire
from autograder.inside.serve import described, seed_all
from lablib import check
from lablib.check.log import Log
from lablib.check.observe import Observation, observe
from lablib.check.rerun import Rerun
from lablib.gpu.launch import Launch
from lablib.gpu.traffic import Access, Buffer, Dot, Fault, Trace


def serve(sock: socket.socket) -> None:
    """Answer until the judge closes the socket."""
    while True:
        try:
            request = wire.receive(sock, _sent_whole)
            try:
                answer = {"answer": _observe(**request)}
            except Exception as error:
                answer = {"error": described(error)}
            wire.send(sock, answer)
        except wire.Closed:
            return


def _sent_whole(reference: wire.Reference) -> Any:
    """An object that the judge sent; the log's maker has no say in it."""
    if reference.kind != "pickle":
        raise wire.Refused("an object of the hand-in in an observed call: expected tensors and plain values")
    return pickle.loads(reference.content)


def _observe(log: Log, args: tuple, kwargs: dict[str, Any], inout: list[int], seed: int) -> dict[str, Any]:
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
    for index in inout:
        check.inout(tensors[index])
    seed_all(seed)
    observation = observe(Rerun(log), *args, **kwargs)
    return {"observation": packed(observation), "inout": [tensors[index] for index in inout]}


def packed(seen: Observation) -> dict[str, Any]:
    """An observation as plain values: each column of its accesses is one array."""
    trace = seen.trace
    launches = [
        [one.name, one.grid, tree_map(_shadow, one.arguments), sorted(one.constexprs), one.options, one.places]
        for one in trace.launches
    ]
    accesses = {
        "program": np.array([a.program for a in trace.accesses], dtype=np.int64).reshape(-1, 3),
        "op": [a.op for a in trace.accesses],
        "buffer": [a.buffer for a in trace.accesses],
        "offsets": np.concatenate([np.zeros(0, np.int64), *(a.offsets for a in trace.accesses)]),
        "counts": [a.offsets.size for a in trace.accesses],
        "rest": [(a.lanes, a.line, a.launch) for a in trace.accesses],
    }
    return {
        "value": seen.value, "launches": launches, "accesses": accesses,
        "buffers": {name: tuple(vars(buffer).values()) for name, buffer in trace.buffers.items()},
        "dots": [tuple(vars(dot).values()) for dot in trace.dots],
        "faults": [(f.program, f.op, [*vars(f.buffer).values()], f.element, f.line, f.kernel) for f in trace.faults],
        "places": trace.places,
        "rest": (
            seen.torch_ops, seen.changed_inputs, seen.unearned, seen.flops, seen.allocated_bytes, seen.peak_bytes,
            seen.outside_bytes, seen.dtypes,
        ),
    }  # fmt: skip


def unpacked(plain: dict[str, Any]) -> Observation:
    """The observation that `packed` made plain; its launches name their kernels without having them."""
    columns = plain["accesses"]
    offsets = np.split(columns["offsets"], np.cumsum(columns["counts"])[:-1]) if columns["counts"] else []
    rows = zip(columns["program"].tolist(), columns["op"], columns["buffer"], offsets, columns["rest"], strict=True)
    trace = Trace(
        launches=[_launch(*fields) for fields in plain["launches"]],
        buffers={name: Buffer(*fields) for name, fields in plain["buffers"].items()},
        accesses=[Access(tuple(program), op, buffer, at, *rest) for program, op, buffer, at, rest in rows],
        dots=[Dot(*fields) for fields in plain["dots"]],
        faults=[Fault(one[0], one[1], Buffer(*one[2]), *one[3:]) for one in plain["faults"]],
        places=plain["places"],
    )
    return Observation(plain["value"], trace, *plain["rest"])


def _launch(name: str, grid: tuple, arguments: dict, constexprs: list, options: dict, places: dict) -> Launch:
    kernel = SimpleNamespace(fn=SimpleNamespace(__name__=name))
    return Launch(kernel, grid, arguments, frozenset(constexprs), options, places)


def _shadow(value: Any) -> Any:
    """A tensor's shape, dtype and strides without its memory; what the wire does not carry, as text."""
    if isinstance(value, torch.Tensor):
        return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")
    return value if isinstance(value, (type(None), bool, int, float, str)) else str(value)
