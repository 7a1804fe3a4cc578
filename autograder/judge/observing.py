"""Observe a call of the hand-in without believing what it says of itself.

The sandbox gives a log: which operations and kernels ran, on which memory. A clean process runs the log again on the
judge's own inputs under `lablib.check.observe`, and its observation is what a check sees. The result that the hand-in
returned is not used at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_map

from autograder.inside import wire
from autograder.inside.replay import unpacked
from autograder.judge.agreement import agree
from autograder.judge.channel import Channel, as_leaves, student_error, tensors_of
from autograder.judge.decoys import Decoys
from lablib.check.contract import is_inout
from lablib.check.log import Log, Operation, Run, View
from lablib.check.observe import Observation
from lablib.gpu.launch import Launch, describe_launch
from lablib.gpu.modules import load_kernel
from lablib.gpu.vocabulary import complaints, kernel_definitions

_SEED = 20_011  # of calls that no check.seed precedes


class Observing:
    """Observes calls of one hand-in.

    Parameters
    ----------
    replayer
        Gives the socket to a clean process of the sandbox.
    kernels
        The kernels that may be launched, as `autograder.judge.contracts.allowed_kernels` gives them.
    decoys
        Makes the arguments on which calls are recorded.
    """

    def __init__(self, replayer: Callable[[], Any], kernels: frozenset[str], decoys: Decoys) -> None:
        self.replayer, self.kernels, self.decoys = replayer, kernels, decoys
        self.first_time = True  # that the test is heard: kernels then run in the clean process alone
        self.observed = False  # anything, while the test is heard

    def observe(self, channel: Channel, on: Any, attribute: str | None, args: tuple, kwargs: dict) -> Observation:
        """The observation of a call, made by running its log again."""
        tensors = tensors_of((args, kwargs))
        inout = [index for index, tensor in enumerate(tensors) if is_inout(tensor)]
        seed = channel.seeding[1] or _SEED
        args, kwargs = as_leaves((args, kwargs))
        self.observed = True
        given, named = self.decoys.of((args, kwargs))
        lasting = attribute is not None or not isinstance(on, str)  # a method's work may be to change its object
        how = {"run_kernels": not self.first_time, "aside": lasting}
        log = self._record(channel, on, attribute, given, named, seed, **how)
        if not self.first_time and not _has_kernels(log):
            # What torch does may depend on a few numbers, such as a scale that is read out of a tensor.
            own = self._record(channel, on, attribute, args, kwargs, seed, **how)
            log = own if agree(log, own) else log
        if lasting:
            channel.ask("call", on=on, attribute=attribute, args=args, kwargs=kwargs, grad=False, inout=[])
        sock = self.replayer()
        request = {"log": log, "args": args, "kwargs": kwargs, "inout": inout, "seed": seed}
        wire.send(sock, request, channel.refer)
        message = wire.receive(sock)
        if "error" in message:
            raise student_error(message["error"])
        channel.write_back(tensors, inout, message["answer"]["inout"])
        return unpacked(message["answer"]["observation"])

    def launches(self, channel: Channel, on: Any, attribute: str | None, args: tuple, kwargs: dict) -> list[Launch]:
        """The launches of a call, with kernels that can be compiled; none of them runs."""
        log = self._record(channel, on, attribute, args, kwargs, _SEED, run_kernels=False)
        return [_launch(event) for event in log.events if isinstance(event, Run)]

    def _record(
        self, channel: Channel, on: Any, attribute: str | None, args: Any, kwargs: Any, seed: int, **how: Any
    ) -> Log:
        log = channel.ask("record", on=on, attribute=attribute, args=args, kwargs=kwargs, seed=seed, **how)
        if type(log) is not Log or type(log.events) is not list or type(log.storages) is not list:
            raise wire.Refused("a log of unknown form")
        for event in log.events:
            if type(event) is Run:
                self._check_kernel(event)
            elif type(event) is not Operation:
                raise wire.Refused("a log of unknown form")
        return log

    def _check_kernel(self, event: Run) -> None:
        """A kernel must stand in the answers: one made for the occasion could hold the result."""
        foreign = complaints(str(event.source))
        if foreign:
            raise AssertionError(
                f"its kernel {event.kernel} uses {', '.join(foreign)}, which no GPU has: use triton.language"
            )
        definitions = kernel_definitions(event.source)
        for definition, name in definitions.items():
            if definition not in self.kernels:
                raise AssertionError(f"it launches the kernel {name}, which stands in none of the answer cells")
        if event.kernel not in definitions.values():
            raise wire.Refused("a launch of something that is no kernel")


def _has_kernels(log: Log) -> bool:
    return any(type(event) is Run for event in log.events)


def _launch(event: Run) -> Launch:
    kernel = load_kernel(event.source, event.kernel)
    arguments = tree_map(lambda leaf: _shadow(leaf) if isinstance(leaf, View) else leaf, event.arguments)
    return describe_launch(kernel, event.grid, (), {**arguments, **event.options})


def _shadow(view: View) -> torch.Tensor:
    return torch.empty_strided(view.shape, view.strides, dtype=view.dtype, device="meta")
