"""Gradients of a convolution, both as convolutions of their own kind.

    dx[q, c]           = sum_{tap, o} dy[q - tap, o] · weight[o, tap, c]    a convolution of dy, the weight turned
    dweight[o, tap, c] = sum_p dy[p, o] · x[p + tap, c]                     a product along all pixels p

dx needs no kernel: the taps are walked backwards and C_in and C_out change places. dweight is small and its sum is
long, so every tile of it is shared by several programs, which take blocks of pixels in turn:

            block 0  block 1  block 2  block 3
    dy^T  ┌────────┬────────┬────────┬────────┐        program (tile, 0) adds blocks 0, 2, ...
          │   ▒▒   │   ░░   │   ▒▒   │   ░░   │        program (tile, 1) adds blocks 1, 3, ...
          └────────┴────────┴────────┴────────┘        the partial sums are added at the end, in order

A strided convolution is one of stride 1 with pixels left out. A pixel that is left out has no gradient, so zeros
are put between those of dy: simple, though it multiplies them as well.

Binding roof: matrix throughput, and close to it the L2 cache: a program has two columns of dweight, because with one it
would load as much for each operation as the cache can give (in a tuning run of the three-dimensional case below,
dweight alone took 0.88 ms with one and 0.61 with two).

Measured on an H200 (Triton 3.6, cuDNN of torch 2.11), bfloat16, both gradients: 64 × 256 × 56² with 256 × 3² weights
takes 0.688 ms, 689 TFLOP/s; cuDNN is 11% faster. 8 × 128 × 16 × 56² with 128 × 3³ weights takes 1.037 ms,
685 TFLOP/s; cuDNN is 9% faster. In a tuning run dweight by itself reached 0.87 and 0.81 of cuDNN.

Source: Chetlur et al., "cuDNN: efficient primitives for deep learning", arXiv:1410.0759, section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from lablib import device  # noqa: F401  (before triton)
from lablib.kernels.conv_shapes import blocks, channels_last, fitted, pixel_block
from lablib.kernels.schedule import multiprocessors
from lablib.kernels.tuned import Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip
from triton.tools.tensor_descriptor import TensorDescriptor  # isort: skip

__all__ = ["Convolution", "weight_gradient"]

CONFIGURATIONS = Tuned(
    {
        ("sm_90", "3.6"): {
            2: {"BLOCK_OUT": 128, "BLOCK_C": 128, "PIXELS": 64, "num_warps": 8, "num_stages": 3},
            4: {"BLOCK_OUT": 64, "BLOCK_C": 32, "PIXELS": 32, "num_warps": 8, "num_stages": 2},
        },
    }
)

MOST_SHARES = 16


@triton.jit
def _place(
    column, C_BLOCKS, BLOCK_C, padding_d, padding_h, padding_w, dilation_d, dilation_h, dilation_w,
    KH: tl.constexpr, KW: tl.constexpr,
):  # fmt: skip
    """Where a column of dweight, a tap and a block of channels, finds its pixels of x: the move, and the channel."""
    tap = column // C_BLOCKS
    move_d = tap // (KH * KW) * dilation_d - padding_d
    move_h = tap // KW % KH * dilation_h - padding_h
    move_w = tap % KW * dilation_w - padding_w
    return move_d, move_h, move_w, column % C_BLOCKS * BLOCK_C


@triton.jit
def _weight_gradient_kernel(
    grad_ptr, x_desc, sums_ptr, N, D, H, W, C_OUT, C_IN, GRAD_ROW,
    padding_d, padding_h, padding_w, dilation_d, dilation_h, dilation_w,
    KD: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr,
    BLOCK_N: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_W: tl.constexpr,
    BLOCK_OUT: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """D, H and W are those of the output."""
    PIXELS: tl.constexpr = BLOCK_N * BLOCK_D * BLOCK_H * BLOCK_W
    C_BLOCKS = tl.cdiv(C_IN, BLOCK_C)
    columns = KD * KH * KW * C_BLOCKS
    share, shares = tl.program_id(1), tl.num_programs(1)
    # Two columns a program: each block of dy serves both, which saves a quarter of the loads.
    left = tl.program_id(0) % tl.cdiv(columns, 2) * 2
    left_d, left_h, left_w, left_c = _place(
        left, C_BLOCKS, BLOCK_C, padding_d, padding_h, padding_w, dilation_d, dilation_h, dilation_w, KH, KW
    )
    right_d, right_h, right_w, right_c = _place(
        left + 1, C_BLOCKS, BLOCK_C, padding_d, padding_h, padding_w, dilation_d, dilation_h, dilation_w, KH, KW
    )
    out = tl.program_id(0) // tl.cdiv(columns, 2) * BLOCK_OUT + tl.arange(0, BLOCK_OUT)
    pixel = tl.arange(0, PIXELS)
    in_w, in_h = pixel % BLOCK_W, pixel // BLOCK_W % BLOCK_H
    in_d, in_n = pixel // (BLOCK_W * BLOCK_H) % BLOCK_D, pixel // (BLOCK_W * BLOCK_H * BLOCK_D)
    in_block = ((in_n.to(tl.int64) * D + in_d) * H + in_h) * W + in_w
    grad_ptrs = grad_ptr + in_block[:, None] * GRAD_ROW + out[None, :]
    d_blocks, h_blocks, w_blocks = tl.cdiv(D, BLOCK_D), tl.cdiv(H, BLOCK_H), tl.cdiv(W, BLOCK_W)
    acc_left = tl.zeros((BLOCK_OUT, BLOCK_C), dtype=tl.float32)
    acc_right = tl.zeros((BLOCK_OUT, BLOCK_C), dtype=tl.float32)
    for block in range(share, tl.cdiv(N, BLOCK_N) * d_blocks * h_blocks * w_blocks, shares):
        w = block % w_blocks * BLOCK_W
        h = block // w_blocks % h_blocks * BLOCK_H
        d = block // w_blocks // h_blocks % d_blocks * BLOCK_D
        n = block // w_blocks // h_blocks // d_blocks * BLOCK_N
        x_left = x_desc.load([n, d + left_d, h + left_h, w + left_w, left_c]).reshape(PIXELS, BLOCK_C)
        x_right = x_desc.load([n, d + right_d, h + right_h, w + right_w, right_c]).reshape(PIXELS, BLOCK_C)
        # dy comes by pointers: a descriptor's box would be reshaped, and go through registers as a left operand.
        inside = (n + in_n < N) & (d + in_d < D) & (h + in_h < H) & (w + in_w < W)
        begin = (((n.to(tl.int64) * D + d) * H + h) * W + w) * GRAD_ROW
        grad = tl.load(grad_ptrs + begin, mask=inside[:, None] & (out < C_OUT)[None, :], other=0.0)
        acc_left = tl.dot(grad.T, x_left, acc_left, input_precision="ieee")
        acc_right = tl.dot(grad.T, x_right, acc_right, input_precision="ieee")
    sums_ptrs = sums_ptr + (share.to(tl.int64) * C_OUT + out[:, None]) * KD * KH * KW * C_IN
    _store_column(sums_ptrs, acc_left, left, columns, C_BLOCKS, out, C_OUT, C_IN, BLOCK_C)
    _store_column(sums_ptrs, acc_right, left + 1, columns, C_BLOCKS, out, C_OUT, C_IN, BLOCK_C)


@triton.jit
def _store_column(row_ptrs, acc, column, columns, C_BLOCKS, out, C_OUT, C_IN, BLOCK_C: tl.constexpr):
    c = column % C_BLOCKS * BLOCK_C + tl.arange(0, BLOCK_C)
    inside = (out < C_OUT)[:, None] & (c < C_IN)[None, :] & (column < columns)
    tl.store(row_ptrs + column // C_BLOCKS * C_IN + c[None, :], acc, mask=inside)


def weight_gradient(
    x: torch.Tensor,
    grad: torch.Tensor,
    taps: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> torch.Tensor:
    """Gradient of the weight of a convolution over three axes with stride 1.

    Parameters
    ----------
    x
        Shape (N, C_in, D, H, W).
    grad
        Shape (N, C_out, D_out, H_out, W_out), dtype of ``x``: gradient of the output.
    taps
        Shape of the weight along the axes: (KD, KH, KW).
    padding, dilation
        One number an axis.

    Returns
    -------
    torch.Tensor
        Shape (C_out, C_in, KD, KH, KW), dtype of ``x``. Two calls give the same bits.
    """
    C_IN, C_OUT = x.shape[1], grad.shape[1]
    x, grad = (channels_last(_padded(one)) for one in (x, grad))
    size = grad.shape[:4]
    configuration = dict(CONFIGURATIONS.configuration(x.element_size()))
    configuration["BLOCK_C"] = BLOCK_C = fitted(configuration["BLOCK_C"], C_IN)
    block = pixel_block(size, configuration.pop("PIXELS"))
    columns = taps[0] * taps[1] * taps[2] * triton.cdiv(C_IN, BLOCK_C)
    tiles = triton.cdiv(C_OUT, configuration["BLOCK_OUT"]) * triton.cdiv(columns, 2)
    # Few enough that the sums stay small, and so many that the last wave of programs is nearly full.
    shares = min(range(1, MOST_SHARES + 1), key=lambda shares: triton.cdiv(tiles * shares, multiprocessors()) / shares)
    shares = min(shares, blocks(size, block))
    sums = torch.empty((shares, C_OUT, *taps, C_IN), dtype=torch.float32, device=x.device)
    _weight_gradient_kernel[(tiles, shares)](
        grad, TensorDescriptor.from_tensor(x, [*block, BLOCK_C]), sums, *size, C_OUT, C_IN, grad.shape[4],
        *padding, *dilation, KD=taps[0], KH=taps[1], KW=taps[2],
        BLOCK_N=block[0], BLOCK_D=block[1], BLOCK_H=block[2], BLOCK_W=block[3], **configuration,
    )  # fmt: skip
    return sums.sum(0).to(x.dtype).permute(0, 4, 1, 2, 3)


def _padded(x: torch.Tensor) -> torch.Tensor:
    """``x`` with as many channels of zeros as make rows of channels multiples of 16 bytes."""
    missing = -x.shape[1] % (16 // x.element_size())
    return F.pad(x, (0, 0) * (x.dim() - 2) + (0, missing)) if missing else x


class Convolution(torch.autograd.Function):
    """A convolution with its gradients, over two or three axes.

    ``product(x, weight, bias, stride, padding, dilation)`` computes it, and the gradient of ``x``.
    """

    @staticmethod
    def forward(ctx: Any, product: Callable[..., torch.Tensor], x, weight, bias, *options) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        ctx.product, ctx.options = product, options
        return product(x, weight, bias, *options)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        (x, weight), (stride, padding, dilation) = ctx.saved_tensors, ctx.options
        (grad,), taps = grads, weight.shape[2:]
        reach = [d * (k - 1) for d, k in zip(dilation, taps, strict=True)]
        grad_x = grad_weight = grad_bias = None
        if ctx.needs_input_grad[3]:
            grad_bias = grad.sum([0, *range(2, grad.dim())])
        if max(stride) > 1:
            size = [n + 2 * p - r for n, p, r in zip(x.shape[2:], padding, reach, strict=True)]
            spread = grad.new_zeros((grad.shape[0], *size, grad.shape[1])).movedim(-1, 1)
            spread[(..., *(slice(None, None, s) for s in stride))] = grad
            grad = spread
        ones = (1,) * len(stride)
        if ctx.needs_input_grad[1]:
            turned = weight.flip(*range(2, weight.dim())).transpose(0, 1)
            outside = tuple(r - p for r, p in zip(reach, padding, strict=True))
            grad_x = ctx.product(grad, turned, None, ones, outside, dilation)
        if ctx.needs_input_grad[2]:
            missing = 3 - len(stride)  # two axes are three, with a depth of 1
            deep = [one.reshape(*one.shape[:2], *(1,) * missing, *one.shape[2:]) for one in (x, grad)]
            grad_weight = weight_gradient(
                *deep, (1,) * missing + taps, (0,) * missing + padding, (1,) * missing + dilation
            ).reshape(weight.shape)
        return None, grad_x, grad_weight, grad_bias, None, None, None
