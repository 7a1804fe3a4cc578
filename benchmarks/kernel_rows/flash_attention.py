"""Attention forward, forward and backward, grouped, and packed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from benchmarks.kernel_row import Row
from lablib.kernels.flash_attention import flash_attention, flash_attention_cost, flash_attention_reference
from lablib.kernels.flash_attention_varlen import (
    flash_attention_varlen,
    flash_attention_varlen_cost,
    flash_attention_varlen_reference,
)

BACKENDS = {"cuDNN": SDPBackend.CUDNN_ATTENTION, "flash": SDPBackend.FLASH_ATTENTION}
LENGTHS = (4096, 512, 2048, 300, 8192, 1111, 64, 3000, 129, 7000, 1024, 2500)


def rows() -> Iterator[Row]:
    for B, H, S, D, causal in (
        (4, 16, 4096, 128, True),
        (4, 16, 4096, 128, False),
        (1, 16, 16384, 128, True),
        (4, 32, 4096, 64, True),
    ):
        yield _forward(B, H, H, S, D, causal, {"cuDNN": 0.80, "FlexAttention": 1.05})
    yield _forward(4, 32, 8, 4096, 128, True, {}, flex=False)
    for B, H, S, D in ((4, 16, 4096, 128), (1, 16, 16384, 128), (4, 32, 4096, 64)):
        yield _both(B, H, S, D)
    yield _packed()


def _name(B: int, H: int, H_kv: int, S: int, D: int, causal: bool) -> str:
    heads = f"{H}" if H_kv == H else f"{H}/{H_kv}"
    return f"bf16 {B} × {heads} × {S} × {D} {'causal' if causal else 'full'}"


def _draw(B: int, H: int, H_kv: int, S: int, D: int) -> list[torch.Tensor]:
    return [torch.randn(B, heads, S, D, device="cuda", dtype=torch.bfloat16) for heads in (H, H_kv, H_kv)]


def _sdpa(backend: SDPBackend, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> torch.Tensor:
    with sdpa_kernel(backend):
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=q.shape[1] != k.shape[1])


def _flex(S: int, causal: bool) -> Callable[..., torch.Tensor]:
    compiled = torch.compile(flex_attention, dynamic=False)
    mask = create_block_mask(lambda b, h, i, j: i >= j, None, None, S, S) if causal else None
    return partial(compiled, block_mask=mask)


def _exact(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool, do: torch.Tensor | None = None) -> Any:
    """Output, and gradients for ``do``, in float32, one head at a time: all scores at once would not fit."""
    results = []
    group = q.shape[1] // k.shape[1]
    for b in range(q.shape[0]):
        for h in range(q.shape[1]):
            one = [x[b, i][None, None].float().requires_grad_(do is not None) for x, i in
                   ((q, h), (k, h // group), (v, h // group))]  # fmt: skip
            o = flash_attention_reference(*one, causal)
            upstream = None if do is None else do[b, h][None, None].float()
            results.append([o.detach(), *(() if upstream is None else torch.autograd.grad(o, one, upstream))])
    stacked = [torch.cat(parts).view(*q.shape) for parts in zip(*results, strict=True)]
    return stacked[0] if do is None else stacked


def _forward(
    B: int, H: int, H_kv: int, S: int, D: int, causal: bool, least: dict[str, float], flex: bool = True
) -> Row:
    q, k, v = _draw(B, H, H_kv, S, D)
    peers = {name: partial(_sdpa, backend, q, k, v, causal) for name, backend in BACKENDS.items()}
    if flex:
        peers["FlexAttention"] = partial(_flex(S, causal), q, k, v)
    cost = flash_attention_cost(q, k, causal)
    return Row(
        "flash attention",
        _name(B, H, H_kv, S, D, causal),
        ours=lambda: flash_attention(q, k, v, causal),
        peers=peers,
        exact=lambda: _exact(q, k, v, causal),
        usual="flash",
        flops=cost.flops,
        reads=cost.bytes - q.nbytes,
        writes=q.nbytes,
        least_of_peer=least,
    )


def _both(B: int, H: int, S: int, D: int) -> Row:
    leaves = [x.requires_grad_() for x in _draw(B, H, H, S, D)]
    do = torch.randn(B, H, S, D, device="cuda", dtype=torch.bfloat16)

    def run(forward: Callable[..., torch.Tensor]) -> list[torch.Tensor]:
        o = forward(*leaves, True)
        return [o.detach(), *torch.autograd.grad(o, leaves, do)]

    # Five products for the two of the forward pass; q, k, v, o and do are read, three gradients written.
    cost = flash_attention_cost(*leaves[:2], causal=True)
    return Row(
        "flash attention, both",
        _name(B, H, H, S, D, True),
        ours=lambda: run(flash_attention),
        peers={name: partial(run, partial(_sdpa, backend)) for name, backend in BACKENDS.items()},
        exact=lambda: _exact(*(x.detach() for x in leaves), True, do),
        usual="flash",
        flops=7 * cost.flops // 2,
        reads=8 * do.nbytes,
        writes=4 * do.nbytes,
        least_of_peer={"flash": 1.1, "cuDNN": 0.65},
    )


def _packed() -> Row:
    starts = torch.tensor([0, *LENGTHS], device="cuda").cumsum(0).int()
    q, k, v = (torch.randn(sum(LENGTHS), 16, 128, device="cuda", dtype=torch.bfloat16) for _ in range(3))
    arguments = (q, k, v, starts, starts, max(LENGTHS), max(LENGTHS))
    cost = flash_attention_varlen_cost(q, k, starts, starts, causal=True)
    return Row(
        "flash attention, packed",
        f"bf16 {len(LENGTHS)} sequences, {sum(LENGTHS)} × 16 × 128 causal",
        ours=lambda: flash_attention_varlen(*arguments, causal=True),
        peers={"varlen_attn": lambda: _torch_varlen(*arguments)},
        exact=lambda: flash_attention_varlen_reference(*(x.float() for x in (q, k, v)), *arguments[3:], causal=True),
        usual="varlen_attn",
        flops=cost.flops,
        reads=3 * q.nbytes,
        writes=q.nbytes,
        least_of_peer={"varlen_attn": 0.9},
    )


def _torch_varlen(*arguments: Any) -> Any:
    from torch.nn.attention.varlen import varlen_attn

    was_flag = "is_causal" in inspect.signature(varlen_attn).parameters  # in older versions
    return varlen_attn(*arguments, **({"is_causal": True} if was_flag else {"window_size": (-1, 0)}))
