"""One training loop: AdamW, a warm-up, a cosine down to zero, and a log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["fit", "rate_at"]


def rate_at(step: int, steps: int, warmup: int) -> float:
    """The learning rate at a step as a share of its peak: up in a straight line, then down along half a cosine.

    Examples
    --------
    >>> [round(rate_at(step, 10, 2), 2) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.04]
    """
    if step < warmup:
        return (step + 1) / warmup
    # A schedule also asks for the step after the last, where training ends with its warm-up.
    return 0.5 + 0.5 * math.cos(math.pi * (step - warmup) / max(steps - warmup, 1))


def fit(
    model: nn.Module, loss: Callable[[nn.Module], Tensor], steps: int, rate: float, warmup: int = 50,
    weight_decay: float = 0.05, lines: int = 20, report: Callable[[dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Train ``model`` in place.

    Parameters
    ----------
    loss
        Draws a batch and returns the model's mean loss on it, shape ().
    rate, weight_decay
        Peak learning rate, and AdamW's decay of matrices and filters; vectors are left alone.
    warmup
        Steps until the peak.
    lines
        Lines of the log.
    report
        Is given each line as it is written, for example `print`.

    Returns
    -------
    list of dict
        ``step``, ``loss`` (the mean since the line before) and ``seconds`` since the start.

    Raises
    ------
    FloatingPointError
        As soon as a line's loss is no number.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> line, x = torch.nn.Linear(1, 1), torch.linspace(-1, 1, 32)[:, None]
    >>> log = fit(line, lambda m: (m(x) - 3 * x).square().mean(), steps=200, rate=0.1, weight_decay=0.0)
    >>> round(line.weight.item(), 2)
    3.0
    """
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, steps, warmup))
    log: list[dict[str, Any]] = []
    start, since, total = time.perf_counter(), 0, torch.zeros((), device=next(model.parameters()).device)
    model.train()
    for step in range(1, steps + 1):
        value = loss(model)
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        # Summed on the device: asking for the number at every step would make a GPU wait.
        total, since = total + value.detach(), since + 1
        if step == steps or step % max(1, steps // lines) == 0:
            log.append({"step": step, "loss": float(total) / since, "seconds": time.perf_counter() - start})
            if not math.isfinite(log[-1]["loss"]):
                raise FloatingPointError(f"The loss is {log[-1]['loss']} at step {step}: lower the rate of {rate}.")
            if report is not None:
                report(log[-1])
            total, since = torch.zeros_like(total), 0
    return log
