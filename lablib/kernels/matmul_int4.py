"""Matrix product with weights of four bits, which become floating point in registers.

    y[m, n] = sum_g scale[g, n] · sum_{k in group g} x[m, k] · (q[n, k] - 8),   q in 0 ... 15

At small M the weights are nearly all the traffic, so a quarter of the bytes should take a quarter of the time. What
stands in the way is arithmetic: a conversion of an integer runs at an eighth of the rate of an addition or worse. But
a bfloat16 of 128 + q is the bits of 128 with q as the last four of the mantissa, so AND and OR make two weights at
once, and one packed subtraction of 136 leaves q - 8, exactly:

    word       hhhh gggg ffff eeee dddd cccc bbbb aaaa     eight weights in 32 bits
    AND        0000 0000 0000 eeee 0000 0000 0000 aaaa     weights 0 and 1 of a quarter of the group
    OR 0x4300  0100 0011 0000 eeee 0100 0011 0000 aaaa     two bfloat16: 128 + e, 128 + a
    then shift the word by 4 for the next quarter

The order of weights in a word is ours to choose, since a sum over k may run in any order: four products a group, each
over a quarter of it, need no exchange between threads. The weights are the left operand, which tensor cores can take
from registers, and x the right one, so that few rows of x are the short side of the tile:

    program (n, m):   for each group g:   packed[n-tile, g] ──registers──> 4 × [BLOCK_N, G/4] · xᵀ[G/4, BLOCK_M]
                                          sum += scale[g, n-tile] · their sum

Binding roof: memory bandwidth up to M of about 64, by the bytes of the weights; then matrix throughput.

Source: Kim, Henry, Fahim and Awadalla, "Who says elephants can't run", arXiv:2211.10017, section 3.3 (the conversion);
Frantar et al., "GPTQ", arXiv:2210.17323, section 4 (scales of groups).
"""

from __future__ import annotations

from typing import Any

import torch

from lablib import device
from lablib.gpu.cost import Cost
from lablib.kernels.tuned import Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["dequantize_int4", "matmul_int4", "matmul_int4_cost", "matmul_int4_reference", "quantize_int4"]

GROUPS = (64, 128, 256)
NORMAL = {
    torch.float16: (2.0**15, 2.0**-9),
    torch.bfloat16: (2.0**127, 2.0**-6),
}  # a power of two, and what it makes of the last bit

CONFIGURATIONS = Tuned(
    {
        ("sm_90", "3.6"): {
            16: {"BLOCK_M": 16, "BLOCK_N": 128, "num_warps": 4, "num_stages": 5},
            32: {"BLOCK_M": 32, "BLOCK_N": 128, "num_warps": 4, "num_stages": 4},
            64: {"BLOCK_M": 64, "BLOCK_N": 128, "num_warps": 8, "num_stages": 4},
            128: {"BLOCK_M": 128, "BLOCK_N": 128, "num_warps": 8, "num_stages": 3},
        },
        ("interpreter", ""): {
            rows: {"BLOCK_M": min(rows, 16), "BLOCK_N": 32, "num_warps": 4, "num_stages": 1}
            for rows in (16, 32, 64, 128)
        },
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
        Shape (N, K / 8), int32. Bits 4i and 16 + 4i onwards of word w of a group are its weights i · group/4 + 2w
        and the next.
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
    q = q.view(N, K // group, 4, group // 8, 2)  # quarter, word, half of the word
    packed = torch.zeros(N, K // group, group // 8, dtype=torch.int32, device=weight.device)
    for quarter in range(4):
        packed |= q[:, :, quarter, :, 0] << 4 * quarter
        packed |= q[:, :, quarter, :, 1] << 16 + 4 * quarter
    return packed.view(N, K // 8), scales.T.contiguous()


def dequantize_int4(packed: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """The weights, shape (N, K), that ``packed`` and ``scales`` stand for, in the dtype of ``scales``."""
    N, groups = packed.shape[0], scales.shape[0]
    shifts = torch.tensor([[0, 16], [4, 20], [8, 24], [12, 28]], device=packed.device)
    q = (packed.view(N, groups, 1, -1, 1) >> shifts.view(4, 1, 2)) & 15
    return ((q.view(N, groups, -1) - 8).to(scales.dtype) * scales.T[:, :, None]).view(N, -1)


def matmul_int4_reference(x: torch.Tensor, packed: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """``x @ Wᵀ`` in plain torch, W dequantized."""
    return x @ dequantize_int4(packed, scales).T


def matmul_int4_cost(M: int, N: int, K: int, group: int = 128) -> Cost:
    """Least cost: x, packed weights and scales read once, y written once, floats of two bytes."""
    return Cost(flops=2 * M * N * K, bytes=2 * M * K + N * K // 2 + 2 * N * (K // group) + 2 * M * N)


@triton.jit
def _matmul_int4_kernel(
    x_ptr, packed_ptr, scales_ptr, y_ptr, M, N, K, x_stride_m, UP: tl.constexpr, UNIT: tl.constexpr,
    GROUP: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    QUARTER: tl.constexpr = GROUP // 4
    columns = tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    rows = tl.program_id(1).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)
    # W is the left operand: tiles are [n, k] and [k, m], and the sum is yᵀ.
    packed_ptrs = packed_ptr + columns[:, None] * (K // 8) + tl.arange(0, GROUP // 8)[None, :]
    x_ptrs = x_ptr + rows[None, :] * x_stride_m + tl.arange(0, QUARTER)[:, None]
    scale_ptrs = scales_ptr + columns
    inside_n, inside_m = columns < N, rows < M
    total = tl.zeros((BLOCK_N, BLOCK_M), dtype=tl.float32)
    for _ in range(0, K, GROUP):
        words = tl.load(packed_ptrs, mask=inside_n[:, None], other=0)
        scale = tl.load(scale_ptrs, mask=inside_n, other=0.0).to(tl.float32)
        partial = tl.zeros((BLOCK_N, BLOCK_M), dtype=tl.float32)
        for quarter in tl.static_range(4):
            x = tl.load(x_ptrs + quarter * QUARTER, mask=inside_m[None, :], other=0.0)
            pair = (words >> (4 * quarter)) & 0x000F000F
            low = pair.to(tl.uint16).to(x.dtype, bitcast=True)
            high = (pair >> 16).to(tl.uint16).to(x.dtype, bitcast=True)
            w = tl.join(low, high).reshape(BLOCK_N, QUARTER) * UP - 8 * UNIT
            partial = tl.dot(w.to(x.dtype), x, partial)
        total += (scale / UNIT)[:, None] * partial
        packed_ptrs += GROUP // 8
        x_ptrs += GROUP
        scale_ptrs += N
    y_ptrs = y_ptr + rows[None, :] * N + columns[:, None]
    tl.store(y_ptrs, total.to(y_ptr.dtype.element_ty), mask=inside_n[:, None] & inside_m[None, :])


class _MatmulInt4(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, packed: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(packed, scales)
        (M, K), N = x.shape, packed.shape[0]
        y = torch.empty((M, N), dtype=x.dtype, device=x.device)

        def launch(config: Any) -> None:
            grid = (triton.cdiv(N, config["BLOCK_N"]), triton.cdiv(M, config["BLOCK_M"]))
            _matmul_int4_kernel[grid](
                x, packed, scales, y, M, N, K, x.stride(0), *NORMAL[x.dtype], K // scales.shape[0], **config
            )

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
        x.dim() == packed.dim() == scales.dim() == 2
        and x.dtype == scales.dtype
        and x.dtype in NORMAL
        and packed.dtype == torch.int32
        and scales.shape[0] * scales.shape[1] > 0
        and x.shape[1] == 8 * packed.shape[1]
        and x.shape[1] / scales.shape[0] in GROUPS
        and scales.shape[1] == packed.shape[0]
    )
    if not fits or x.stride(1) != 1 or not (packed.is_contiguous() and scales.is_contiguous()):
        raise ValueError(
            "matmul_int4 takes x of shape (M, K) in float16 or bfloat16 with unit stride along K, and weights from "
            f"quantize_int4 of shape (N, K) with scales of that dtype; it got x {x.dtype} {tuple(x.shape)} strides "
            f"{x.stride()}, packed {packed.dtype} {tuple(packed.shape)}, scales {scales.dtype} {tuple(scales.shape)}."
        )
    device.refuse_bfloat16("matmul_int4", x)
    return _MatmulInt4.apply(x, packed, scales)
