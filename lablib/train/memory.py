"""Memory over a training step: what is held after each operation, by kind.

    forward          backward         optimizer          a moment an operation, a number of bytes a kind
    ──────────────>──────────────────>───────────>
    activations grow   and are freed     states appear in the first step, and stay

Memory is counted where torch asks for it, piece by piece (storage by storage), so that views are free and the count is
the same on every machine; on the ``meta`` device nothing is computed and any size can be asked about. What an operation
uses within itself, and what an allocator rounds up, is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["KINDS", "Moment", "Timeline", "memory_of", "memory_of_steps"]

KINDS = ("parameters", "gradients", "optimizer states", "activations", "batch", "temporaries")
"""Activations are what autograd keeps for the backward pass; temporaries all that is nothing else."""


@dataclass(frozen=True)
class Moment:
    """What is held just after an operation.

    Attributes
    ----------
    phase
        ``"forward"``, ``"backward"`` or ``"optimizer"``.
    operation
        Torch's name for it, such as ``"addmm"``.
    held
        Bytes of each of `KINDS`.
    """

    phase: str
    operation: str
    held: dict[str, int]

    @property
    def total(self) -> int:
        """Bytes of all kinds."""
        return sum(self.held.values())


@dataclass
class Timeline:
    """Moments in the order in which the operations ran."""

    moments: list[Moment] = field(default_factory=list)

    @property
    def peak(self) -> Moment:
        """The first moment at which most is held."""
        return max(self.moments, key=lambda moment: moment.total)

    def most(self, kind: str) -> int:
        """The most bytes of one kind at any moment."""
        return max(moment.held[kind] for moment in self.moments)


def memory_of(run: Callable[[], Any], model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> Timeline:
    """Call ``run()``, which trains ``model`` for a step or several, and write down what is held.

    Parameters
    ----------
    run
        Any code: forward, backward, optimizer, in this process.
    model
        Tells parameters, buffers and gradients from other tensors.
    optimizer
        Tells its states from other tensors.

    Returns
    -------
    Timeline
        A moment for each operation that is more than a view.

    Raises
    ------
    ValueError
        If ``run`` does nothing.

    Examples
    --------
    >>> layer = nn.Linear(10, 1, bias=False)
    >>> x = torch.zeros(4, 10)
    >>> found = memory_of(lambda: layer(x).sum().backward(), layer)
    >>> found.peak.held["parameters"], found.most("gradients"), found.peak.held["batch"]
    (40, 40, 160)
    """
    recorder = _Recorder(model, optimizer)
    kept = torch.autograd.graph.saved_tensors_hooks(recorder.keep, lambda kept: kept)
    with recorder.told(model, optimizer), kept, recorder:
        run()
    if not recorder.moments:
        raise ValueError("memory_of saw no operation: give it a function that runs the model, as in lambda: step().")
    return recorder.timeline()


def memory_of_steps(model: nn.Module, x: Tensor, y: Tensor, count: int = 2) -> Timeline:
    """What ``count`` steps of AdamW on a model that classifies hold; from the second step on, states are there.

    Parameters
    ----------
    x
        A batch.
    y
        Its targets, int64, of the model's output's shape without the last dimension.

    Examples
    --------
    >>> found = memory_of_steps(nn.Linear(10, 3, bias=False), torch.zeros(4, 10), torch.zeros(4, dtype=torch.int64))
    >>> found.most("parameters"), found.most("gradients"), found.peak.phase
    (120, 120, 'optimizer')
    """
    optimizer = torch.optim.AdamW(model.parameters(), foreach=False)

    def run() -> None:
        for _ in range(count):
            nn.functional.cross_entropy(model(x).flatten(0, -2), y.flatten()).backward()
            optimizer.step()
            optimizer.zero_grad()

    return memory_of(run, model, optimizer)


class _Recorder(TorchDispatchMode):
    """Knows every piece of memory from the operation that makes it until nothing refers to it."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer | None) -> None:
        super().__init__()
        self.moments: list[tuple[str, str, list[int]]] = []
        self._refs: list[StorageWeakRef] = []  # a weak reference keeps an address from being given out again
        self._bytes: list[int] = []
        self._kinds: list[str] = []
        self._number: dict[int, int] = {}
        self._live: set[int] = set()
        self._stepping = False
        for tensor in (*model.parameters(), *model.buffers()):
            self._name(tensor, "parameters")
        for parameter in model.parameters():
            if parameter.grad is not None:
                self._name(parameter.grad, "gradients")
        self._name_states(optimizer)

    @contextmanager
    def told(self, model: nn.Module, optimizer: torch.optim.Optimizer | None) -> Iterator[None]:
        """Be told of each gradient when it is there, and of the optimizer's steps."""
        named = [p for p in model.parameters() if p.requires_grad]
        hooks = [p.register_post_accumulate_grad_hook(lambda p: self._name(p.grad, "gradients")) for p in named]
        if optimizer is not None:
            hooks.append(optimizer.register_step_pre_hook(lambda *_: self._step(True)))
            hooks.append(optimizer.register_step_post_hook(lambda *_: self._step(False, optimizer)))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def keep(self, tensor: Tensor) -> Tensor:
        """Take note of what autograd keeps."""
        number = self._see(tensor, "batch")  # nothing made it since the recording began
        if self._kinds[number] == "temporaries":
            self._kinds[number] = "activations"
        return tensor.detach()  # the tensor itself, kept by its own node, would never be freed

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        for tensor in _tensors((args, kwargs)):
            self._see(tensor, "batch")
        result = func(*args, **kwargs)
        name = func.overloadpacket.__name__
        if func.is_view or name == "detach" or func.namespace == "profiler":
            return result
        for tensor in _tensors(result):
            self._see(tensor, "temporaries")
        self._live -= {number for number in self._live if self._refs[number].expired()}
        backward = torch._C._current_autograd_node() is not None
        phase = "optimizer" if self._stepping else "backward" if backward else "forward"
        self.moments.append((phase, name, sorted(self._live)))
        return result

    def timeline(self) -> Timeline:
        """Moments with the kinds that are known by now: a gradient is one before ``.grad`` names it."""
        found = Timeline()
        for phase, operation, live in self.moments:
            held: dict[str, int] = {kind: 0 for kind in KINDS}
            for number in live:
                held[self._kinds[number]] += self._bytes[number]
            found.moments.append(Moment(phase, operation, held))
        return found

    def _see(self, tensor: Tensor, kind: str) -> int:
        storage = tensor.untyped_storage()
        number = self._number.get(storage._cdata)
        if number is None:
            number = self._number[storage._cdata] = len(self._refs)
            self._refs.append(StorageWeakRef(storage))
            self._bytes.append(storage.nbytes())
            self._kinds.append(kind)
            self._live.add(number)
        return number

    def _name(self, tensor: Any, kind: str) -> None:
        self._kinds[self._see(tensor, kind)] = kind

    def _step(self, begins: bool, optimizer: torch.optim.Optimizer | None = None) -> None:
        self._stepping = begins
        self._name_states(optimizer)

    def _name_states(self, optimizer: torch.optim.Optimizer | None) -> None:
        for state in optimizer.state.values() if optimizer else ():
            for tensor in _tensors(state):
                self._name(tensor, "optimizer states")


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor) and leaf.layout == torch.strided]
