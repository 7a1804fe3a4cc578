"""Attention and its gradients, of one length and packed."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from lablib import device
from lablib.check.random import Rng
from lablib.kernels.flash_attention import flash_attention, flash_attention_reference
from lablib.kernels.flash_attention_backward import KEYS, QUERIES, flash_attention_gradients
from lablib.kernels.flash_attention_forward import CONFIGURATIONS, flash_attention_forward
from lablib.kernels.flash_attention_varlen import flash_attention_varlen, flash_attention_varlen_reference

from ..case import FLOATS, Build, Case, Refused

# What costs the interpreter seconds is drawn in the dtype with the narrowest bound there, and in all on a GPU.
ONE = (torch.float32,) if device.INTERPRETED else FLOATS
# Backward, float32 is off by the last place of lse, of 2^4 and more, which is kept in one number for each row.
ULPS = 10.0
# Blocks are larger on a GPU: shapes that span several of them.
LARGER = [
    ("several blocks, full", (1, 2, 1, 700, 900), {}),
    ("several blocks, causal", (2, 4, 2, 1000, 1000), {"causal": True}),
    ("several blocks, a window", (1, 2, 2, 900, 1001), {"causal": True, "window": 300}),
][: 0 if device.INTERPRETED else None]


def _qkv(rng: Rng, dtype: torch.dtype, B: int, H: int, H_kv: int, S: int, S_k: int, D: int = 64) -> tuple:
    q = rng.normal(B, H, S, D, dtype=dtype)
    k, v = (rng.normal(B, H_kv, S_k, D, dtype=dtype) for _ in range(2))
    return q, k, v


def _torch(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool = False, **_: Any) -> torch.Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True)


def _of_projections(rng: Rng, dtype: torch.dtype) -> tuple:
    """q, k and v as one projection gives them: slices of one tensor, with the heads behind the rows."""
    return rng.normal(1, 40, 3, 2, 64, dtype=dtype).permute(2, 0, 3, 1, 4).unbind()


def _misaligned(rng: Rng, dtype: torch.dtype) -> tuple:
    return tuple(x[..., 1:65] for x in (rng.normal(1, 1, 20, 67, dtype=dtype) for _ in range(3)))


def _peaky(rng: Rng, dtype: torch.dtype) -> tuple:
    q, k, v = _qkv(rng, dtype, 1, 1, 1, 40, 40)
    return 10 * q, k, v


def _of_stride_0(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, sum_of: Any) -> Any:
    """The gradient of a sum: one element that stands for all."""
    leaves = [x.detach().requires_grad_() for x in (q, k, v)]
    return torch.autograd.grad(sum_of(*leaves, causal=True).sum(), leaves)


STARTS_Q, STARTS_K = ([0, 33, 33, 40], [0, 40, 47, 54])


def _packed(rng: Rng, dtype: torch.dtype) -> tuple:
    starts = (torch.tensor(x, dtype=torch.int32, device=device.DEVICE) for x in (STARTS_Q, STARTS_K))
    q, k, v = rng.normal(40, 2, 64, dtype=dtype), *(rng.normal(54, 1, 64, dtype=dtype) for _ in range(2))
    return q, k, v, *starts, 33, 40


def _first_beside_nan(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, run: Any) -> Any:
    """Output and gradients of a sequence behind which another lies that is all NaN."""
    leaves = [torch.cat([x, torch.full_like(x[:9], torch.nan)]).detach().requires_grad_() for x in (q, k, v)]
    starts = torch.tensor([0, 20, 29], dtype=torch.int32, device=q.device)
    o = run(*leaves, starts, starts, 20, 20)
    grads = torch.autograd.grad(o, leaves, torch.cat([q, torch.full_like(q[:9], torch.nan)]))
    return [x[:20].detach() for x in (o, *grads)]


CASES = [
    Case(
        f"flash attention, {name}, D = {D}",
        flash_attention,
        flash_attention_reference,
        lambda rng, dtype, sizes=(*sizes, D): _qkv(rng, dtype, *sizes),
        keywords=keywords,
        usual=_torch if keywords in ({}, {"causal": True}) and sizes[3] == sizes[4] else None,
        dtypes=FLOATS if "causal" in name else ONE,
        gradients=(0, 1, 2),
        ulps=ULPS,
    )
    for name, sizes, keywords in [
        ("one query", (1, 1, 1, 1, 1), {}),
        ("whole blocks, several batches", (2, 1, 1, 64, 64), {}),
        ("causal, grouped", (1, 2, 1, 40, 40), {"causal": True}),
        ("more keys", (1, 1, 1, 20, 75), {"causal": True}),
        ("queries that see nothing", (1, 1, 1, 75, 20), {"causal": True}),
        ("a window in one block", (1, 1, 1, 70, 70), {"causal": True, "window": 5}),
        ("a window over blocks, scaled", (1, 1, 1, 70, 101), {"causal": True, "window": 45, "scale": 0.3}),
        *LARGER,
    ]
    for D in ((64, 128) if name.startswith("causal") or not device.INTERPRETED else (64,))
]
CASES += [
    Case(
        "flash attention of one projection", flash_attention, flash_attention_reference, _of_projections,
        dtypes=ONE, ulps=ULPS,
    ),
    Case(
        "flash attention of misaligned slices", flash_attention, flash_attention_reference, _misaligned,
        dtypes=ONE, ulps=ULPS,
    ),
    Case(
        "flash attention, peaky", flash_attention, flash_attention_reference, _peaky,
        dtypes=ONE, gradients=(0, 1, 2), ulps=ULPS,
    ),
    Case(
        "flash attention, gradient of a sum",
        lambda q, k, v: _of_stride_0(q, k, v, flash_attention),
        lambda q, k, v: _of_stride_0(q, k, v, flash_attention_reference),
        lambda rng, dtype: _qkv(rng, dtype, 1, 1, 1, 40, 40),
        dtypes=ONE,
        ulps=ULPS,
    ),
    Case(
        "flash attention, packed", flash_attention_varlen, flash_attention_varlen_reference, _packed,
        keywords={"causal": True}, dtypes=ONE, gradients=(0, 1, 2), ulps=ULPS,
    ),
    Case(
        "flash attention, packed, with a window", flash_attention_varlen, flash_attention_varlen_reference, _packed,
        keywords={"causal": True, "window": 20}, dtypes=ONE, gradients=(0, 1, 2), ulps=ULPS,
    ),
    Case(
        "flash attention, packed beside NaN",
        lambda q, k, v: _first_beside_nan(q, k, v, flash_attention_varlen),
        lambda q, k, v: _first_beside_nan(q, k, v, flash_attention_varlen_reference),
        lambda rng, dtype: tuple(rng.normal(20, 1, 64, dtype=dtype) for _ in range(3)),
        dtypes=ONE,
        ulps=ULPS,
    ),
]  # fmt: skip


def _zeros(*shape: int, dtype: torch.dtype = torch.float16) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype, device=device.DEVICE)


def _three(*shape: int, dtype: torch.dtype = torch.float16) -> tuple:
    return tuple(_zeros(*shape, dtype=dtype) for _ in range(3))


REFUSED = [
    Refused(flash_attention, lambda: _three(2, 8, 64), r"takes q \(B, H, S, D\) .* it got q \(2, 8, 64\)"),
    Refused(flash_attention, lambda: _three(1, 1, 8, 32), r"head dimensions \(64, 128\)"),
    Refused(
        flash_attention,
        lambda: (_zeros(1, 3, 8, 64), *_three(1, 2, 8, 64)[:2]),
        "whole number of query heads a key head",
    ),
    Refused(flash_attention, lambda: (_zeros(1, 1, 0, 64), *_three(1, 1, 8, 64)[:2]), "no empty axis"),
    Refused(flash_attention, lambda: _three(1, 1, 8, 64, dtype=torch.float64), "it got torch.float64"),
    Refused(flash_attention, lambda: _three(1, 1, 8, 64), "window of at least 1, with causal=True", {"window": 3}),
    Refused(flash_attention, lambda: _three(1, 1, 8, 64), "positive scale; it got -1", {"scale": -1.0}),
    Refused(flash_attention_varlen, lambda: (*_three(1, 1, 8, 64), None, None, 1, 1), r"takes q \(T, H, D\)"),
    Refused(
        flash_attention_varlen,
        lambda: (*_three(8, 1, 64), _zeros(2, dtype=torch.int64), _zeros(2, dtype=torch.int64), 8, 8),
        r"int32; it got torch.int64 \(2,\)",
    ),
]
if device.INTERPRETED:
    REFUSED.append(
        Refused(
            flash_attention,
            lambda: _three(1, 1, 8, 64, dtype=torch.bfloat16),
            "cannot compute in bfloat16 without a GPU",
        )
    )


HOPPER, CASE = ("sm_90", "3.6"), (128, 2)


def _forward() -> Any:
    tensors = torch.empty(3, 4, 16, 4096, 128, dtype=torch.float16, device="meta")
    return flash_attention_forward(*tensors, causal=True, configuration=CONFIGURATIONS.table[HOPPER][CASE])


def _gradients() -> Any:
    q, k, v, o, do = torch.empty(5, 4, 16, 4096, 128, dtype=torch.float16, device="meta")
    lse = torch.empty(4, 16, 4096, device="meta")
    tuned = {"for_queries": QUERIES.table[HOPPER][CASE], "for_keys": KEYS.table[HOPPER][CASE]}
    return flash_attention_gradients(q, k, v, o, lse, do, causal=True, **tuned)


MATRIX = {"sm_90": "HGMMA", "sm_100": "UTCHMMA"}
BUILDS = [
    Build(f"flash attention of 4096, {name}", launch, kernel, MATRIX, targets)
    for name, launch, kernel, targets in [
        ("forward", _forward, "_flash_attention_kernel", ("sm_90", "sm_100")),
        ("gradient for queries", _gradients, "_queries_kernel", ("sm_90", "sm_100")),
        ("gradients for keys", _gradients, "_keys_kernel", ("sm_90",)),
    ]
]
