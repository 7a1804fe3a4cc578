"""Training loops that hold more than they need, and what a recorder counts of them: a fault to be found by numbers.

    healthy          forward, backward, and again; optimizer; gradients go
    one graph        all forward passes, then one backward pass: every micro-batch's activations at once
    gradients kept   zeros in place of nothing: gradients take memory through the next forward pass
    results kept     something of every micro-batch stays, step after step

Gradients are right in each, so that no loss curve shows which is which.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lablib.train.memory import memory_of

__all__ = ["FAULTS", "counters"]

FAULTS = ("healthy", "one graph", "gradients kept", "results kept")


def counters(
    fault: str, micro_batches: int = 4, rows: int = 32, width: int = 64, depth: int = 3
) -> dict[str, Any]:  # fmt: skip
    """What is counted of the third step of a loop.

    Parameters
    ----------
    fault
        One of `FAULTS`.
    micro_batches, rows
        Of a step; rows of each.
    width, depth
        Of the network, linear layers with a tanh after each.

    Returns
    -------
    dict
        ``micro_batches``; bytes of ``parameters``, of the most ``activations`` at once, of
        ``activations_of_one_micro_batch`` alone, of ``gradients_before_the_forward_pass``; and a list,
        ``kept_after_each_step``.

    Raises
    ------
    ValueError
        If the fault is none of these.

    Examples
    --------
    >>> healthy, one_graph = (counters(fault, 4, 8, 16, 2)["activations"] for fault in ("healthy", "one graph"))
    >>> healthy, one_graph
    (1024, 4096)
    """
    if fault not in FAULTS:
        raise ValueError(f"{fault!r} is no fault of lablib.train.faulty_loops: expected one of {', '.join(FAULTS)}.")
    layers = [nn.Linear(width, width) for _ in range(depth)]
    model = nn.Sequential(*(part for layer in layers for part in (layer, nn.Tanh())))
    optimizer = torch.optim.AdamW(model.parameters(), foreach=False)
    parts = [torch.zeros(rows, width) for _ in range(micro_batches)]
    history: list[Tensor] = []
    ends = []
    for _ in range(2):
        _step(fault, model, optimizer, parts, history)
        ends.append(sum(t.nbytes for t in history))
    seen = memory_of(lambda: _step(fault, model, optimizer, parts, history), model, optimizer)
    ends.append(sum(t.nbytes for t in history))
    one = memory_of(lambda: model(parts[0]).square().mean().backward(), model)
    first = seen.moments[0].held
    return {
        "micro_batches": micro_batches,
        "parameters": first["parameters"],
        "activations_of_one_micro_batch": one.most("activations"),
        "activations": seen.most("activations"),
        "gradients_before_the_forward_pass": first["gradients"],
        "kept_after_each_step": ends,
    }


def _step(
    fault: str, model: nn.Module, optimizer: torch.optim.Optimizer, parts: list[Tensor], history: list[Tensor]
) -> None:
    losses = []
    for x in parts:
        y = model(x)
        loss = y.square().mean() / len(parts)
        if fault == "one graph":
            losses.append(loss)
        else:
            loss.backward()
        if fault == "results kept":
            history.append(y.detach().clone())
        del y, loss  # else they live until the next micro-batch has made its own
    if losses:
        torch.stack(losses).sum().backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=fault != "gradients kept")
