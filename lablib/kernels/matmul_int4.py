"""Matrix product with weights of four bits, which become floating point in registers.

    y[m, n] = sum_g scale[g, n] · sum_{k in group g} x[m, k] · (q[n, k] - 8),   q in 0 ... 15

At small M the weights are nearly all the traffic, so a quarter of the bytes should take a quarter of the time. What
stands in the way is arithmetic: a conversion from integer to float is slow, and comes on top of shift and mask. But
four bits at the low end of a bfloat16 already are a number, the subnormal q · 2^-133. One packed multiply-add makes
(q - 8) · 2^-6 of two of them, exactly, and the scale takes the power of two back:

    word          h3 h2 h1 h0 l3 l2 l1 l0     eight weights of 4 bits
    & 000F000F    0  0  0  h0 0  0  0  l0     two bfloat16, h0 · 2^-133 and l0 · 2^-133
    & 00F000F0    0  0  h1 0  0  0  l1 0      h1 · 2^-129 and l1 · 2^-129: the least normal numbers go on evenly
    FMA           (h - 8) · 2^-6, (l - 8) · 2^-6;    the same with word >> 8 for the other four

Tensor cores take the left operand from registers, so W is that one, and few rows of x are the short side of the tile.
Of every 16 k, a thread holds four: 2t, 2t + 1, 2t + 8 and 2t + 9. Words are packed so that a thread finds all that it
needs in its own words, and a group's words of successive n lie side by side, so that a tile is one piece of memory:

    program (n, m):   for each group g:   packed[g, n-tile] ──registers──> [BLOCK_N, G] · xᵀ[G, BLOCK_M]
                                          sum += scale[g, n-tile] · this product

Binding roof: memory bandwidth up to M of about 64, by the bytes of the weights; then matrix throughput.

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16, N = 28672 and K = 8192, groups of 128, 1, 16 and 64 rows of x:

    here                         0.043   0.044   0.064 ms    0.72, 0.71 and 0.61 of the roof
    cuBLAS over bf16 weights     0.113   0.111   0.120
    torch._weight_int4pack_mm    0.066   0.276   1.056

4096 × 1024 weights take 4.3 µs for one row in a CUDA graph; _weight_int4pack_mm is 40%, bf16 by cuBLAS 3% faster.

Instructions bind, not memory: in a tuning run 18 to 24 for a word of eight weights, issued in 60% of cycles. Up to 16
rows the tiles are 64 columns wide and the sum over K is split among two programs (`splits`): more, smaller programs
hide each other's latency better.

Source: Kim, Henry, Fahim and Awadalla, "Who says elephants can't run", arXiv:2211.10017, section 3.3 (conversion
without conversion instructions); Frantar et al., "GPTQ", arXiv:2210.17323, section 4 (scales of groups).
"""

from __future__ import annotations

from typing import Any

import torch

from lablib import device
from lablib.gpu.cost import Cost
from lablib.kernels.splits import add_splits, parts_of
from lablib.kernels.tuned import Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["dequantize_int4", "matmul_int4", "matmul_int4_cost", "matmul_int4_reference", "quantize_int4"]

GROUPS = (64, 128, 256)
# A power of two that makes a normal number of a subnormal one, and what it makes of the lowest bit.
NORMAL = {torch.float16: (2.0**15, 2.0**-9), torch.bfloat16: (2.0**127, 2.0**-6)}

HOPPER = {
    16: {"BLOCK_M": 16, "BLOCK_N": 64, "SPLITS": 2, "num_warps": 4, "num_stages": 4},
    32: {"BLOCK_M": 32, "BLOCK_N": 128, "SPLITS": 1, "num_warps": 4, "num_stages": 4},
    64: {"BLOCK_M": 64, "BLOCK_N": 128, "SPLITS": 1, "num_warps": 4, "num_stages": 4},
    128: {"BLOCK_M": 128, "BLOCK_N": 128, "SPLITS": 1, "num_warps": 8, "num_stages": 3},
}
INTERPRETED = {"BLOCK_M": 16, "BLOCK_N": 32, "num_warps": 4, "num_stages": 1}
CONFIGURATIONS = Tuned(
    {
        ("sm_90", "3.6"): HOPPER,
        ("sm_80", "3.6"): HOPPER | {64: HOPPER[64] | {"num_warps": 8}},  # 4 warps spill
        ("interpreter", ""): {rows: INTERPRETED | {"SPLITS": 2 if rows == 16 else 1} for rows in HOPPER},
    }
)


def quantize_int4(weight: torch.Tensor, group: int = 128) -> tuple[torch.Tensor, torch.Tensor]:
    """Round weights to four bits, with a scale for each group along K.

    Parameters
    ----------
    weight
        Shape (N, K), float16 or bfloat16, K a multiple of ``group``.
    group
        64, 128 or 256.

    Returns
    -------
    packed : torch.Tensor
        Shape (K / group, N, group / 8), int32. Word 4b + t of a group has its weight 32b + 8i + 2t + h at the bits
        from 16h + 4i on.
    scales : torch.Tensor
        Shape (K / group, N), dtype of ``weight``.

    Examples
    --------
    >>> packed, scales = quantize_int4(torch.ones(2, 64, dtype=torch.float16, device=device.DEVICE), group=64)
    >>> dequantize_int4(packed, scales)[0, :2].tolist()
    [1.0, 1.0]
    """
    if weight.dim() != 2 or group not in GROUPS or weight.shape[1] % group:
        raise ValueError(
            f"quantize_int4 takes a matrix whose rows are a multiple of the group, 64, 128 or 256 weights; "
            f"it got shape {tuple(weight.shape)} and a group of {group}."
        )
    N, K = weight.shape
    groups = weight.double().view(N, K // group, group)
    scales = (groups.abs().amax(dim=-1) / 7).to(weight.dtype)
    q = (groups / scales.double().clamp(min=1e-30)[..., None]).round().clamp(-8, 7).to(torch.int32) + 8
    q = q.view(N, K // group, group // 32, 4, 4, 2)  # ... b, i, t, h
    packed = torch.zeros(N, K // group, group // 32, 4, dtype=torch.int32, device=weight.device)
    for i in range(4):
        packed |= q[:, :, :, i, :, 0] << 4 * i | q[:, :, :, i, :, 1] << 16 + 4 * i
    return packed.flatten(2).transpose(0, 1).contiguous(), scales.T.contiguous()


def dequantize_int4(packed: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """The weights, shape (N, K), that ``packed`` and ``scales`` stand for, in the dtype of ``scales``."""
    groups, N, words = packed.shape
    shifts = torch.tensor([[0, 16], [4, 20], [8, 24], [12, 28]], dtype=torch.int32, device=packed.device)
    q = packed.view(groups, N, words // 4, 1, 4, 1) >> shifts.view(4, 1, 2) & 15
    return ((q.view(groups, N, -1) - 8).to(scales.dtype) * scales[..., None]).transpose(0, 1).reshape(N, -1)


def matmul_int4_reference(x: torch.Tensor, packed: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """``x @ Wᵀ`` in plain torch, W dequantised."""
    return x @ dequantize_int4(packed, scales).T


def matmul_int4_cost(M: int, N: int, K: int, group: int = 128) -> Cost:
    """Least cost: x, packed weights and scales read once, y written once, floats of two bytes."""
    return Cost(flops=2 * M * N * K, bytes=2 * M * K + N * K // 2 + 2 * N * (K // group) + 2 * M * N)


@triton.jit
def _matmul_int4_kernel(
    x_ptr, packed_ptr, scales_ptr, y_ptr, M, N, groups, x_stride_m, UP: tl.constexpr, UNIT: tl.constexpr,
    GROUP: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    WORDS: tl.constexpr = GROUP // 8
    columns = tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    rows = tl.program_id(1).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)
    split, splits = tl.program_id(2), tl.num_programs(2)
    first, last = split * groups // splits, (split + 1) * groups // splits
    # W is the left operand: tiles are [n, k] and [k, m], and the sum is yᵀ.
    packed_ptrs = packed_ptr + (first * N + columns[:, None]) * WORDS + tl.arange(0, WORDS)[None, :]
    x_ptrs = x_ptr + rows[None, :] * x_stride_m + first * GROUP + tl.arange(0, GROUP)[:, None]
    scale_ptrs = scales_ptr + first * N + columns
    inside_n, inside_m = columns < N, rows < M
    # Two bytes are too few for an asynchronous copy: the scales are loaded one group ahead instead.
    scale = tl.load(scale_ptrs, mask=inside_n, other=0.0)
    total = tl.zeros((BLOCK_N, BLOCK_M), dtype=tl.float32)
    for group in range(first, last):
        words = tl.load(packed_ptrs, mask=inside_n[:, None], other=0)
        x = tl.load(x_ptrs, mask=inside_m[None, :], other=0.0)
        scale_ptrs += N
        next_scale = tl.load(scale_ptrs, mask=inside_n & (group + 1 < last), other=0.0)
        partial = tl.dot(_weights(words, x.dtype, UP, UNIT), x)
        total += (scale.to(tl.float32) / UNIT)[:, None] * partial
        scale = next_scale
        packed_ptrs += N * WORDS
        x_ptrs += GROUP
    y_ptrs = y_ptr + (split * M + rows[None, :]) * N + columns[:, None]
    tl.store(y_ptrs, total.to(y_ptr.dtype.element_ty), mask=inside_n[:, None] & inside_m[None, :])


@triton.jit
def _weights(words, dtype: tl.constexpr, UP: tl.constexpr, UNIT: tl.constexpr):
    """(q - 8) · UNIT for the eight weights of each word. What looks like data movement renames registers."""
    BLOCK_N: tl.constexpr = words.shape[0]
    WORDS: tl.constexpr = words.shape[1]
    upper = words >> 8
    pair_0 = _pair(words & 0x000F000F, dtype, UP, UNIT)
    pair_1 = _pair(words & 0x00F000F0, dtype, UP / 16, UNIT)
    pair_2 = _pair(upper & 0x000F000F, dtype, UP, UNIT)
    pair_3 = _pair(upper & 0x00F000F0, dtype, UP / 16, UNIT)
    w = tl.join(tl.join(pair_0, pair_2), tl.join(pair_1, pair_3)).reshape(BLOCK_N, WORDS // 4, 4, 2, 4)  # n, b, t, h, i
    return w.permute(0, 1, 4, 2, 3).reshape(BLOCK_N, 8 * WORDS)


@triton.jit
def _pair(bits, dtype: tl.constexpr, UP: tl.constexpr, UNIT: tl.constexpr):
    """(q - 8) · UNIT for both halves of a word that holds q / UP · UNIT in each."""
    low = bits.to(tl.uint16).to(dtype, bitcast=True)
    high = (bits >> 16).to(tl.uint16).to(dtype, bitcast=True)
    return (tl.join(low, high) * UP - 8 * UNIT).to(dtype)


class _MatmulInt4(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, packed: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(packed, scales)
        M, N = len(x), packed.shape[1]
        groups, words = packed.shape[0], packed.shape[2]
        y = torch.empty((M, N), dtype=x.dtype, device=x.device)

        def launch(config: Any) -> None:
            config = dict(config)
            splits = min(config.pop("SPLITS"), groups)
            parts = parts_of(y, splits)
            _matmul_int4_kernel[(triton.cdiv(N, config["BLOCK_N"]), triton.cdiv(M, config["BLOCK_M"]), splits)](
                x, packed, scales, parts, M, N, groups, x.stride(0), *NORMAL[x.dtype], 8 * words, **config
            )
            add_splits(parts, y)

        launch(CONFIGURATIONS.configuration(min(max(triton.next_power_of_2(M), 16), 128), launch))
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        # The weights are frozen; with many rows, as in training, dequantizing them first costs little.
        return gradients[0] @ dequantize_int4(*ctx.saved_tensors), None, None


def matmul_int4(x: torch.Tensor, packed: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """Product of ``x`` with the transpose of weights of four bits.

    Parameters
    ----------
    x
        Shape (M, K), float16 or bfloat16, unit stride along K.
    packed, scales
        Weights of shape (N, K) as `quantize_int4` makes them, scales in the dtype of ``x``.

    Returns
    -------
    torch.Tensor
        Shape (M, N), dtype of ``x``. Its gradient with respect to ``x`` exists.

    Raises
    ------
    ValueError
        If shapes, dtypes or strides are others.

    Examples
    --------
    >>> packed, scales = quantize_int4(torch.eye(64, dtype=torch.float16, device=device.DEVICE), group=64)
    >>> x = torch.ones(1, 64, dtype=torch.float16, device=device.DEVICE)
    >>> bool((matmul_int4(x, packed, scales) - 1).abs().max() < 1e-3)
    True
    """
    fits = (
        x.dim() == scales.dim() == 2
        and packed.dim() == 3
        and x.dtype == scales.dtype
        and x.dtype in NORMAL
        and packed.dtype == torch.int32
        and scales.shape == packed.shape[:2]
        and 8 * packed.shape[2] in GROUPS
        and x.shape[1] == 8 * packed.shape[0] * packed.shape[2]
    )
    if not fits or x.stride(1) != 1 or not (packed.is_contiguous() and scales.is_contiguous()):
        raise ValueError(
            "matmul_int4 takes x of shape (M, K) in float16 or bfloat16 with unit stride along K, and weights from "
            f"quantize_int4 of shape (N, K) with scales of that dtype; it got x {x.dtype} {tuple(x.shape)} strides "
            f"{x.stride()}, packed {packed.dtype} {tuple(packed.shape)}, scales {scales.dtype} {tuple(scales.shape)}."
        )
    device.refuse_bfloat16("matmul_int4", x)
    return _MatmulInt4.apply(x, packed, scales)
