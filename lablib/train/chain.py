"""A chain of blocks, and plans of which results to keep for the backward pass and which to compute again.

    x0 ──block 1──> x1 ──block 2──> x2 ── ... ──block n──> xn

A block's backward pass needs what its forward pass saved. A plan is a list of actions, each a word and the number of a
block:

    ("forward", i)   xᵢ from xᵢ₋₁, nothing saved: xᵢ is held
    ("save", i)      xᵢ from xᵢ₋₁, and all that block i's backward pass needs: both are held
    ("drop", i)      what ("forward", i) made is held no longer
    ("backward", i)  from the gradient of xᵢ to that of xᵢ₋₁; what ("save", i) made is held no longer

x0 is there from the start and stays. Backward passes run from block n to block 1, each once. Whoever plans chooses when
to forget, so that anything from "save all" to "begin again for each block" is a plan.

`replay` counts what a plan holds and computes from sizes alone; `run` carries it out with torch and measures.

Source: the actions are those of Beaumont, Eyraud-Dubois, Hermann, Joly and Shilova, "Optimal checkpointing for
heterogeneous chains", arXiv:1911.13214, section 3, where gradients and transients take memory too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Action", "Chain", "Replay", "measure", "replay", "run"]

Action = tuple[str, int]
WORDS = ("forward", "save", "drop", "backward")


@dataclass(frozen=True)
class Chain:
    """Sizes of a chain; entry i - 1 is that of block i.

    Attributes
    ----------
    output_bytes
        Of xᵢ.
    saved_bytes
        Of xᵢ and all else that ``("save", i)`` holds.
    flops
        Of the block's forward pass.
    """

    output_bytes: tuple[int, ...]
    saved_bytes: tuple[int, ...]
    flops: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.flops)


@dataclass(frozen=True)
class Replay:
    """What a plan costs.

    Attributes
    ----------
    held
        Bytes held after each action; x0 is not counted.
    flops
        Of all forward passes, those that are done again included.
    runs
        How often each block's forward pass ran.
    """

    held: tuple[int, ...]
    flops: int
    runs: tuple[int, ...]

    @property
    def peak_bytes(self) -> int:
        """The most bytes held after any action."""
        return max(self.held)


def replay(chain: Chain, plan: Sequence[Action]) -> Replay:
    """Follow a plan action by action, and count.

    Raises
    ------
    ValueError
        Naming the first action that cannot be carried out, or what the plan leaves undone.

    Examples
    --------
    >>> chain = Chain((8, 8), (20, 20), (100, 100))
    >>> plan = [("forward", 1), ("save", 2), ("backward", 2), ("drop", 1), ("save", 1), ("backward", 1)]
    >>> found = replay(chain, plan)
    >>> found.peak_bytes, found.flops, found.runs
    (28, 300, (2, 1))
    """
    n = len(chain)
    state = _State(n)
    held: list[int] = []
    runs = [0] * n
    for number, action in enumerate(plan):
        word, i = state.apply(action, number)
        runs[i - 1] += word in ("forward", "save")
        outputs = sum(chain.output_bytes[k - 1] for k in state.outputs)
        held.append(outputs + sum(chain.saved_bytes[k - 1] for k in state.saved))
    state.finish()
    flops = sum(count * each for count, each in zip(runs, chain.flops, strict=True))
    return Replay(tuple(held), flops, tuple(runs))


class _State:
    """Which results are held: outputs by ``forward``, graphs by ``save``; and which backward pass is next."""

    def __init__(self, n: int) -> None:
        self.outputs: set[int] = set()
        self.saved: set[int] = set()
        self.n = self.next = n

    def apply(self, action: Any, number: int) -> Action:
        """Carry out an action, or say why it cannot be."""
        where = f"action {number}, {action!r},"
        if not (isinstance(action, (tuple, list)) and len(action) == 2 and action[0] in WORDS):
            raise ValueError(f"{where} is none: expected a pair of one of {', '.join(WORDS)} and a block's number.")
        word, i = action
        if type(i) is not int or not 1 <= i <= self.n:
            raise ValueError(f"{where} names no block: they are numbered from 1 to {self.n}.")
        if word in ("forward", "save"):
            self._make(word, i, where)
        elif word == "drop":
            if i not in self.outputs:
                raise ValueError(f"{where} drops what no forward action holds.")
            if i + 1 in self.saved:
                raise ValueError(f"{where} drops what the backward pass of block {i + 1} still needs.")
            self.outputs.remove(i)
        else:
            if i != self.next:
                raise ValueError(f"{where} comes too early or again: the next backward pass is that of {self.next}.")
            if i not in self.saved:
                raise ValueError(f"{where} needs what only a save of block {i} holds.")
            self.saved.remove(i)
            self.next -= 1
        return word, i

    def _make(self, word: str, i: int, where: str) -> None:
        if i > 1 and i - 1 not in self.outputs | self.saved:
            raise ValueError(f"{where} needs x{i - 1}, which is not held.")
        if i in self.outputs | self.saved:
            raise ValueError(f"{where} makes x{i}, which is held already.")
        (self.outputs if word == "forward" else self.saved).add(i)

    def finish(self) -> None:
        """Say what is missing at the end of a plan."""
        if self.next:
            raise ValueError(f"The plan ends before the backward pass of block {self.next}.")
        if self.outputs:
            raise ValueError(f"The plan ends and still holds x{min(self.outputs)}: drop it.")


def measure(blocks: Sequence[nn.Module], x: Tensor) -> Chain:
    """The sizes of a chain of blocks, each a function of the last one's output, by running it once.

    Parameters
    ----------
    x
        x0, on the ``meta`` device if only sizes matter.
    """
    from lablib.gpu.ledger import ledger

    outputs, saved, flops = [], [], []
    for block in blocks:
        y, kept = _saving(block, x)
        outputs.append(y.untyped_storage().nbytes())
        saved.append(_held_bytes([*kept, y], block, x))
        flops.append(ledger(block, x).total.flops)
        x = y.detach()
    return Chain(tuple(outputs), tuple(saved), tuple(flops))


def run(
    blocks: Sequence[nn.Module], x: Tensor, gradient: Tensor, plan: Sequence[Action]
) -> tuple[Tensor, tuple[int, ...]]:
    """Carry out a plan: parameters get their gradients, as after ``backward``.

    Parameters
    ----------
    x
        x0.
    gradient
        Of the last block's output.

    Returns
    -------
    Tensor
        The gradient of x0.
    tuple of int
        Bytes held after each action: of the tensors that are there, each piece of memory once.

    Raises
    ------
    ValueError
        As `replay` does.
    """
    state = _State(len(blocks))
    outputs: dict[int, Tensor] = {0: x}
    graphs: dict[int, tuple[Tensor, Tensor, list[Tensor]]] = {}  # input, output, what autograd keeps
    held = []
    for number, action in enumerate(plan):
        word, i = state.apply(action, number)
        if word == "drop":
            del outputs[i]
        elif word == "backward":
            start, y, _ = graphs.pop(i)
            torch.autograd.backward(y, gradient)
            assert start.grad is not None  # a leaf that the block's output depends on
            gradient = start.grad
            del y, start
        else:
            source = outputs[i - 1] if i - 1 in outputs else graphs[i - 1][1].detach()
            if word == "forward":
                with torch.no_grad():
                    outputs[i] = blocks[i - 1](source)
            else:
                start = source.detach().requires_grad_()
                y, kept = _saving(blocks[i - 1], start)
                graphs[i] = start, y, kept
        kept = [t for i, (_, y, saved) in graphs.items() for t in (y, *saved)]
        held.append(_held_bytes([*(t for i, t in outputs.items() if i), *kept], nn.ModuleList(blocks), x))
    state.finish()
    return gradient, tuple(held)


def _saving(block: nn.Module, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """A block's output, with its graph, and what autograd keeps for the backward pass."""
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.detach())
        return kept[-1]

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        return block(x if x.requires_grad else x.detach().requires_grad_()), kept


def _held_bytes(tensors: Sequence[Tensor], module: nn.Module, x: Tensor) -> int:
    """Bytes of the memory behind tensors, each piece once; neither that of parameters and buffers nor that of ``x``."""
    from lablib.gpu.operation import storage_nbytes, storage_of  # imports triton, before which lablib.device must come

    known = {storage_of(t) for t in (x, *module.parameters(), *module.buffers())}
    return sum({storage_of(t): storage_nbytes(t) for t in tensors if storage_of(t) not in known}.values())
