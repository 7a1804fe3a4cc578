"""Decode attention over a paged cache."""

from __future__ import annotations

import torch

from lablib import device
from lablib.check.random import Rng
from lablib.kernels.paged_attention import CONFIGURATIONS, paged_attention, paged_attention_reference

from ..case import Build, Case, Refused

ULPS = 5.0  # scores are sums of D products one after the other, where a library adds up in a tree


def _cache(
    rng: Rng,
    dtype: torch.dtype,
    lengths: list[int],
    H: int,
    H_kv: int,
    PAGE: int = 16,
    D: int = 64,
    rows_first: bool = True,
) -> tuple:
    """Pages in random order, more of them than needed."""
    B, each = len(lengths), max(1, -(-max(lengths) // PAGE))
    pages = B * each + 3
    q = rng.normal(B, H, D, dtype=dtype)
    if rows_first:
        k, v = (rng.normal(pages, PAGE, H_kv, D, dtype=dtype) for _ in range(2))
    else:
        k, v = (rng.normal(pages, H_kv, PAGE, D, dtype=dtype).transpose(1, 2) for _ in range(2))
    order = rng.uniform(pages).argsort()[: B * each].reshape(B, each).int()
    return q, k, v, order, torch.tensor(lengths, dtype=torch.int32, device=device.DEVICE)


def _beyond_is_infinite(rng: Rng, dtype: torch.dtype) -> tuple:
    """Pages behind a sequence's last are not there, and what it has not written of its last is infinite."""
    q, k, v, table, lengths = _cache(rng, dtype, [20, 5], 2, 1)
    for cache in (k, v):
        cache[table[0, 1].long(), 4:] = torch.inf
        cache[table[1, 0].long(), 5:] = torch.inf
    table[1, 1] = 2**30
    return q, k, v, table, lengths


CASES = [
    Case(
        f"paged attention, {name}",
        paged_attention,
        paged_attention_reference,
        draw,
        options={"splits": splits},
        keywords=keywords,
        ulps=ULPS,
    )
    for name, draw, splits, keywords in [
        ("one token", lambda rng, dtype: _cache(rng, dtype, [1], 1, 1), 1, {}),
        ("lengths that differ", lambda rng, dtype: _cache(rng, dtype, [37, 0, 70], 4, 2), 1, {}),
        ("splits without tokens", lambda rng, dtype: _cache(rng, dtype, [90, 3], 2, 1), 4, {"scale": 0.3}),
        ("heads before rows", lambda rng, dtype: _cache(rng, dtype, [40], 3, 1, 32, 128, False), 2, {}),
        ("20 heads in a group", lambda rng, dtype: _cache(rng, dtype, [33], 20, 1, 1), None, {}),
    ]
]
CASES.append(
    Case(
        "paged attention, infinity behind the end",
        paged_attention,
        lambda q, k, v, table, lengths: paged_attention_reference(q, k, v, table.clamp(max=len(k) - 1), lengths),
        _beyond_is_infinite,
        options={"splits": 2},
    )
)


def _zeros(*shape: int, dtype: torch.dtype = torch.float16) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype, device=device.DEVICE)


def _arguments(H: int = 2, PAGE: int = 16, D: int = 64, B: int = 1, dtype: torch.dtype = torch.int32) -> tuple:
    cache = _zeros(3, PAGE, 2, D)
    return _zeros(1, H, D), cache, cache, _zeros(1, 2, dtype=torch.int32), _zeros(B, dtype=dtype)


REFUSED = [
    Refused(paged_attention, lambda: _arguments(H=3), r"H a multiple of H_kv; it got q \(1, 3, 64\)"),
    Refused(paged_attention, lambda: _arguments(PAGE=12), "PAGE a power of two"),
    Refused(paged_attention, lambda: _arguments(D=32), "D 64 or 128"),
    Refused(paged_attention, lambda: _arguments(B=2), r"lengths \(B,\) for B = 1; it got \(1, 2\) and \(2,\)"),
    Refused(paged_attention, lambda: _arguments(dtype=torch.int64), "int32 .* torch.int64"),
    Refused(paged_attention, lambda: (_zeros(1, 2, 64).float(), *_arguments()[1:]), "one dtype"),
    Refused(paged_attention, lambda: (_zeros(1, 2, 128)[..., ::2], *_arguments()[1:]), "unit stride"),
    Refused(paged_attention, _arguments, "positive scale", {"scale": 0.0}),
]


def _launch() -> torch.Tensor:
    q = torch.empty(64, 32, 128, dtype=torch.float16, device="meta")
    k, v = torch.empty(2, 32768, 8, 16, 128, dtype=torch.float16, device="meta").transpose(2, 3)
    table, lengths = (torch.empty(shape, dtype=torch.int32, device="meta") for shape in ((64, 512), (64,)))
    return paged_attention(q, k, v, table, lengths, configuration=CONFIGURATIONS.table["sm_90", "3.6"][128, 2])


BUILDS = [
    Build(
        "paged attention of 64 × 8192", _launch, "_paged_attention_kernel",
        instructions={"sm_80": "HMMA", "sm_90": "HMMA"},
    ),
    Build("paged attention of 64 × 8192, combining", _launch, "_combine_kernel"),
]  # fmt: skip
