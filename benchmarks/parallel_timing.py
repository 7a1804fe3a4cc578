"""What the benchmarks of several GPUs share: time by all ranks' clocks, and the lab's solution in every rank."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F


def timed(call: Callable[[], Any], device: str, repeats: int) -> list[float]:
    """Seconds of each repeat, after three that are not counted; all ranks begin together."""
    from torch import distributed as dist

    seconds = []
    for repeat in range(repeats + 3):
        dist.barrier()
        synchronize(device)
        begun = time.perf_counter()
        call()
        synchronize(device)
        if repeat >= 3:
            seconds.append(time.perf_counter() - begun)
    return seconds


def synchronize(device: str) -> None:
    """Wait for the GPU, if there is one."""
    if device == "cuda":
        torch.cuda.synchronize()


def slowest(by_rank: list[list[float]]) -> dict[str, Any]:
    """A repeat takes as long as its slowest rank: the median of that, and all of them, in seconds."""
    seconds = [max(of_ranks) for of_ranks in zip(*by_rank, strict=True)]
    return {"seconds": statistics.median(seconds), "repeats": [round(one, 6) for one in seconds]}


def attention(qkv: torch.Tensor, heads: int, context: int) -> torch.Tensor:
    """lab15's causal attention for rows of several sequences, in the four dimensions that fused kernels take."""
    q, k, v = (part.view(-1, context, heads, part.shape[1] // heads).transpose(1, 2) for part in qkv.chunk(3, dim=1))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(len(qkv), -1)
