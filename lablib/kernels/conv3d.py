"""Convolution over three axes as an implicit matrix product, fed by tensor descriptors of rank 5.

    y[n, d, h, w, o] = bias[o] + sum_lijc weight[o, l, i, j, c] · x[n, d + l·dilation - padding, h + …, w + …, c]

The kernel is that of conv2d.py with one axis more, the most that the copy engine takes: (image, depth, row, column,
channel). A block of pixels has a depth too, so that the taps of one tile meet each other's pixels in the L2 cache:

          depth ////////                      A 3 × 3 × 3 convolution loads every pixel of x 27 times,
               ┌───────┐/                     once a tap. Nearly all of these come from the L2 cache:
          rows │▒▒▒▒▒▒▒│ block of pixels      tiles that run at the same time are neighbours.
               └───────┘
                columns

Binding roof: matrix throughput (each input serves C_out · KD · KH · KW multiplications).

Measured on an H200 (Triton 3.6, cuDNN of torch 2.11), bfloat16: 8 × 128 × 16 × 56² with 128 × 3³ weights takes
0.458 ms, 775 TFLOP/s, all of the roof and level with cuDNN. Of 1 × 64 × 8 × 14² there are few tiles, with 27 steps one
after the other; in tiles of 64 pixels and a CUDA graph it takes 7.8 µs, 1.09 times as fast as cuDNN.

Source: Chetlur et al., "cuDNN: efficient primitives for deep learning", arXiv:1410.0759, section 3; the third axis is
that of Tran et al., "Learning spatiotemporal features with 3D convolutional networks", arXiv:1412.0767, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from lablib import device
from lablib.gpu.cost import Cost
from lablib.kernels.conv_gather import conv_gather
from lablib.kernels.conv_gradients import Convolution
from lablib.kernels.conv_shapes import (
    channels_last,
    output_size,
    per_axis,
    require_convolution,
    tiling,
    whole_vectors,
)
from lablib.kernels.schedule import multiprocessors

import triton  # isort: skip
import triton.language as tl  # isort: skip
from triton.tools.tensor_descriptor import TensorDescriptor  # isort: skip

__all__ = ["conv3d", "conv3d_cost", "conv3d_reference"]


def conv3d_reference(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
) -> torch.Tensor:
    """Convolution in plain torch: every patch of x, taken out and multiplied with the weight."""
    stride, padding, dilation = (per_axis(one, 3) for one in (stride, padding, dilation))
    x = F.pad(x, [p for p in reversed(padding) for _ in range(2)])
    for axis, (taps, s, d) in enumerate(zip(weight.shape[2:], stride, dilation, strict=True), start=2):
        x = x.unfold(axis, d * (taps - 1) + 1, s)
    patches = x[..., :: dilation[0], :: dilation[1], :: dilation[2]]  # (N, C, D, H, W, KD, KH, KW)
    y = torch.einsum("ncdhwlij,oclij->nodhw", patches, weight)
    return y if bias is None else y + bias[:, None, None, None]


def conv3d_cost(
    N: int, C_in: int, size: Sequence[int], C_out: int, taps: Sequence[int], size_out: Sequence[int], itemsize: int
) -> Cost:
    """Least cost: input, weight and output once each, without bias."""
    pixels, reach = N * size_out[0] * size_out[1] * size_out[2], C_in * taps[0] * taps[1] * taps[2]
    elements = N * C_in * size[0] * size[1] * size[2] + C_out * reach + pixels * C_out
    return Cost(flops=2 * pixels * C_out * reach, bytes=elements * itemsize)


@triton.jit
def _conv3d_kernel(
    x_desc, weight_desc, y_desc, bias_ptr, N, D, H, W, C_OUT,
    padding_d, padding_h, padding_w, dilation_d, dilation_h, dilation_w,
    C_IN: tl.constexpr, KD: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr,
    BLOCK_N: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_W: tl.constexpr,
    BLOCK_OUT: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """D, H and W are those of the output."""
    PIXELS: tl.constexpr = BLOCK_N * BLOCK_D * BLOCK_H * BLOCK_W
    TAPS: tl.constexpr = KD * KH * KW
    C_BLOCKS: tl.constexpr = (C_IN + BLOCK_C - 1) // BLOCK_C
    d_blocks, h_blocks, w_blocks = tl.cdiv(D, BLOCK_D), tl.cdiv(H, BLOCK_H), tl.cdiv(W, BLOCK_W)
    out_blocks = tl.cdiv(C_OUT, BLOCK_OUT)
    tiles = tl.cdiv(N, BLOCK_N) * d_blocks * h_blocks * w_blocks * out_blocks
    for tile in tl.range(tl.program_id(0), tiles, tl.num_programs(0)):
        out = tile % out_blocks * BLOCK_OUT
        w = tile // out_blocks % w_blocks * BLOCK_W
        h = tile // out_blocks // w_blocks % h_blocks * BLOCK_H
        d = tile // out_blocks // w_blocks // h_blocks % d_blocks * BLOCK_D
        n = tile // out_blocks // w_blocks // h_blocks // d_blocks * BLOCK_N
        acc = tl.zeros((BLOCK_OUT, PIXELS), dtype=tl.float32)
        # One loop, as only the innermost is pipelined; the taps last, as they meet nearly the same pixels.
        for step in range(C_BLOCKS * TAPS):
            c_block = step // TAPS
            c, tap = c_block * BLOCK_C, step - c_block * TAPS
            plane = d + tap // (KH * KW) * dilation_d - padding_d
            row = h + tap // KW % KH * dilation_h - padding_h
            column = w + tap % KW * dilation_w - padding_w
            # Channels past C_IN are zeros in x, so it does not matter that the weight's go on with the next tap.
            weight = weight_desc.load([out, tap * C_IN + c])
            x = x_desc.load([n, plane, row, column, c]).reshape(PIXELS, BLOCK_C)
            acc = tl.dot(weight, x.T, acc, input_precision="ieee")
        if bias_ptr is not None:
            outs = out + tl.arange(0, BLOCK_OUT)
            acc += tl.load(bias_ptr + outs, mask=outs < C_OUT, other=0.0).to(tl.float32)[:, None]
        y = acc.T.to(y_desc.dtype).reshape(BLOCK_N, BLOCK_D, BLOCK_H, BLOCK_W, BLOCK_OUT)
        y_desc.store([n, d, h, w, out], y)


def _product(x, weight, bias, stride, padding, dilation) -> torch.Tensor:
    N, C_IN, *size = x.shape
    C_OUT, _, *taps = weight.shape
    size_out = output_size(size, taps, stride, padding, dilation)
    if max(stride) > 1 or not whole_vectors(x.element_size(), C_IN, C_OUT):
        return conv_gather(x, weight, bias, stride, padding, dilation)
    pixels, weights = channels_last(x), channels_last(weight).view(C_OUT, -1)
    y = torch.empty((N, *size_out, C_OUT), dtype=x.dtype, device=x.device)
    configuration, block, tiles = tiling(y, C_IN)
    _conv3d_kernel[(min(tiles, multiprocessors()),)](
        TensorDescriptor.from_tensor(pixels, [*block, configuration["BLOCK_C"]]),
        TensorDescriptor.from_tensor(weights, [configuration["BLOCK_OUT"], configuration["BLOCK_C"]]),
        TensorDescriptor.from_tensor(y, [*block, configuration["BLOCK_OUT"]]),
        bias, N, *size_out, C_OUT, *padding, *dilation, C_IN=C_IN, KD=taps[0], KH=taps[1], KW=taps[2],
        BLOCK_N=block[0], BLOCK_D=block[1], BLOCK_H=block[2], BLOCK_W=block[3], **configuration,
    )  # fmt: skip
    return y.permute(0, 4, 1, 2, 3)


def conv3d(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
) -> torch.Tensor:
    """Convolution over three axes, as `torch.nn.functional.conv3d` with one group.

    Strides above 1, and channels whose rows are no multiples of 16 bytes, are gathered by pointers instead
    (conv_gather.py), which is slower.

    Parameters
    ----------
    x
        Shape (N, C_in, D, H, W), float16, bfloat16 or float32; fastest in channels_last_3d, other layouts are copied
        to it.
    weight
        Shape (C_out, C_in, KD, KH, KW), dtype of ``x``; the same of its layout.
    bias
        Shape (C_out,), dtype of ``x``.
    stride, padding, dilation
        One number for all axes, or three.

    Returns
    -------
    torch.Tensor
        Shape (N, C_out, D_out, H_out, W_out), dtype of ``x``, channels_last_3d. Gradients flow to all three arguments.

    Raises
    ------
    ValueError
        If the shapes or dtypes do not fit, the output is empty, or it is bfloat16 and there is no GPU.

    Examples
    --------
    >>> x = torch.ones(1, 1, 2, 2, 2, device=device.DEVICE)
    >>> conv3d(x, torch.ones(1, 1, 2, 2, 2, device=device.DEVICE)).tolist()
    [[[[[8.0]]]]]
    """
    stride, padding, dilation = (per_axis(one, 3) for one in (stride, padding, dilation))
    require_convolution("conv3d", x, weight, bias, {"stride": stride, "padding": padding, "dilation": dilation})
    device.refuse_bfloat16("conv3d", x)
    return Convolution.apply(_product, x, weight, bias, stride, padding, dilation)  # pyright: ignore
