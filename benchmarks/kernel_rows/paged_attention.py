"""Decode attention over a paged cache: many sequences, and a single long one."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch.nn.attention.flex_attention import flex_attention

from benchmarks.kernel_row import Row
from lablib.kernels.paged_attention import paged_attention, paged_attention_cost

H, H_KV, D, PAGE = 32, 8, 128, 16


def rows() -> Iterator[Row]:
    yield _row(64, 8192, 0.85)
    yield _row(1, 131072, 0.75)


def _row(B: int, S: int, least_roof: float) -> Row:
    """Peers read the same cache without pages, one sequence behind the other."""
    each = S // PAGE
    k, v = (torch.randn(B * each, PAGE, H_KV, D, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    table = torch.randperm(B * each, device="cuda").view(B, each).int()
    lengths = torch.full((B,), S, device="cuda", dtype=torch.int32)
    q = torch.randn(B, H, D, device="cuda", dtype=torch.bfloat16)
    plain = [x[table.long()].view(B, S, H_KV, D).transpose(1, 2).contiguous() for x in (k, v)]
    compiled = torch.compile(flex_attention, dynamic=False)
    cost = paged_attention_cost(q, k, table, B * S)
    return Row(
        "paged attention",
        f"bf16 {B} × {H}/{H_KV} × {S} × {D}, pages of {PAGE}",
        ours=lambda: paged_attention(q, k, v, table, lengths),
        peers={
            "SDPA": lambda: F.scaled_dot_product_attention(q[:, :, None], *plain, enable_gqa=True)[:, :, 0],
            "FlexAttention": lambda: compiled(q[:, :, None], *plain, enable_gqa=True)[:, :, 0],
        },
        exact=lambda: _exact(q, *plain),
        usual="SDPA",
        flops=cost.flops,
        reads=cost.bytes - q.nbytes,
        writes=q.nbytes,
        least_roof=least_roof,
    )


def _exact(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """In float32, one sequence after the other."""
    outputs = []
    for one, keys, values in zip(q, k, v, strict=True):
        scores = one.float().view(H_KV, H // H_KV, D) @ keys.float().transpose(1, 2) * D**-0.5
        outputs.append((scores.softmax(-1) @ values.float()).view(H, D))
    return torch.stack(outputs)
