"""Convolution over two axes as an implicit matrix product, fed by tensor descriptors.

    y[n, h, w, o] = bias[o] + sum_ijc weight[o, i, j, c] · x[n, h + i·dilation - padding, w + j·dilation - padding, c]

With channels last, a block of pixels at one tap is a box of x: as many images, rows and columns as the block has, moved
by the tap. The copy engine fetches such a box at once, and gives zeros where it lies outside x, which is the padding:

            x, one image                          weight                    y, transposed
        ┌─────────────────┐                    taps · C_in  ──>              pixels  ──>
      0 0 0 0 0           │               ┌─────┬─────┬─────┐        ┌────────────────────┐
      0┌──────┐ tap (0,0) │         C_out │▒▒▒▒▒│     │     │   C_out│        ▓▓▓▓        │
      0│▒▒▒▒▒▒│  ┌──────┐ │           │   │▒▒▒▒▒│     │     │     │  │        ▓▓▓▓        │
      0│▒▒▒▒▒▒│  │ tap  │ │           v   └─────┴─────┴─────┘     v  └────────────────────┘
       └──────┘  │ (2,2)│ │         A tile of y is the sum over taps and blocks of channels of
        │        └──────┘ │         weight tile · (box of x)^T.
        └─────────────────┘

The weight is the left operand because the right one may come in a box of any rank: Triton reads a right operand from
shared memory, where the copy left it, but takes a reshaped left one through registers (tried: one of four such kernels
gave wrong numbers with Triton 3.6). Programs are persistent, one a multiprocessor: a tile of y is still on its way to
memory when the copies for the next one start.

Binding roof: matrix throughput (each input serves C_out · KH · KW multiplications).

Measured on an H200 (Triton 3.6, cuDNN of torch 2.11), bfloat16: 64 × 256 × 56² with 256 × 3² weights takes 0.312 ms,
760 TFLOP/s, 0.98 of the roof; cuDNN is 2% faster. With 64 channels (0.046 ms, 319 TFLOP/s) cuDNN is 14% faster.
Where there are few pixels, a tile has 128 or 64 of them instead of 256: 64 × 512 × 7² takes 25.0 µs, 1.12 times as fast
as cuDNN, and 8 × 64 × 28² takes 4.5 µs, 1.42 times as fast. These three are timed in CUDA graphs: their launch from
Python takes longer. float32 is multiplied in float32, without matrix units; in a tuning run that had less than a
quarter of cuDNN's speed.

Source: Chetlur et al., "cuDNN: efficient primitives for deep learning", arXiv:1410.0759, section 3.
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

__all__ = ["conv2d", "conv2d_cost", "conv2d_reference"]


def conv2d_reference(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
) -> torch.Tensor:
    """Convolution in plain torch: for every tap, the pixels that meet it times its weights."""
    stride, padding, dilation = (per_axis(one, 2) for one in (stride, padding, dilation))
    H, W = output_size(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    x = F.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    y = torch.zeros(x.shape[0], weight.shape[0], H, W, dtype=x.dtype, device=x.device)
    for i in range(weight.shape[2]):
        for j in range(weight.shape[3]):
            rows = x[:, :, i * dilation[0] :: stride[0]][:, :, :H]
            y = y + torch.einsum("nchw,oc->nohw", rows[..., j * dilation[1] :: stride[1]][..., :W], weight[:, :, i, j])
    return y if bias is None else y + bias[:, None, None]


def conv2d_cost(
    N: int,
    C_in: int,
    size: tuple[int, int],
    C_out: int,
    taps: tuple[int, int],
    size_out: tuple[int, int],
    itemsize: int,
) -> Cost:
    """Least cost: input, weight and output once each, without bias."""
    pixels, reach = N * size_out[0] * size_out[1], C_in * taps[0] * taps[1]
    elements = N * C_in * size[0] * size[1] + C_out * reach + pixels * C_out
    return Cost(flops=2 * pixels * C_out * reach, bytes=elements * itemsize)


@triton.jit
def _conv2d_kernel(
    x_desc, weight_desc, y_desc, bias_ptr, N, H, W, C_OUT, padding_h, padding_w, dilation_h, dilation_w,
    C_IN: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr,
    BLOCK_N: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_W: tl.constexpr, BLOCK_OUT: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """H and W are those of the output."""
    PIXELS: tl.constexpr = BLOCK_N * BLOCK_H * BLOCK_W
    TAPS: tl.constexpr = KH * KW
    C_BLOCKS: tl.constexpr = (C_IN + BLOCK_C - 1) // BLOCK_C
    out_blocks, h_blocks, w_blocks = tl.cdiv(C_OUT, BLOCK_OUT), tl.cdiv(H, BLOCK_H), tl.cdiv(W, BLOCK_W)
    tiles = tl.cdiv(N, BLOCK_N) * h_blocks * w_blocks * out_blocks
    for tile in tl.range(tl.program_id(0), tiles, tl.num_programs(0)):
        # Neighbours in time share their pixels, so that these are read from memory once.
        out = tile % out_blocks * BLOCK_OUT
        w = tile // out_blocks % w_blocks * BLOCK_W
        h = tile // out_blocks // w_blocks % h_blocks * BLOCK_H
        n = tile // out_blocks // w_blocks // h_blocks * BLOCK_N
        acc = tl.zeros((BLOCK_OUT, PIXELS), dtype=tl.float32)
        # One loop, as only the innermost is pipelined; the taps last, as they meet nearly the same pixels.
        for step in range(C_BLOCKS * TAPS):
            c_block = step // TAPS
            c, tap = c_block * BLOCK_C, step - c_block * TAPS
            row = h + tap // KW * dilation_h - padding_h
            column = w + tap % KW * dilation_w - padding_w
            # Channels past C_IN are zeros in x, so it does not matter that the weight's go on with the next tap.
            weight = weight_desc.load([out, tap * C_IN + c])
            x = x_desc.load([n, row, column, c]).reshape(PIXELS, BLOCK_C)
            acc = tl.dot(weight, x.T, acc, input_precision="ieee")
        if bias_ptr is not None:
            outs = out + tl.arange(0, BLOCK_OUT)
            acc += tl.load(bias_ptr + outs, mask=outs < C_OUT, other=0.0).to(tl.float32)[:, None]
        y = acc.T.to(y_desc.dtype).reshape(BLOCK_N, BLOCK_H, BLOCK_W, BLOCK_OUT)
        y_desc.store([n, h, w, out], y)


def _product(x, weight, bias, stride, padding, dilation) -> torch.Tensor:
    N, C_IN, *size = x.shape
    C_OUT, _, *taps = weight.shape
    size_out = output_size(size, taps, stride, padding, dilation)
    if max(stride) > 1 or not whole_vectors(x.element_size(), C_IN, C_OUT):
        options = ((1, *stride), (0, *padding), (1, *dilation))
        return conv_gather(x.unsqueeze(2), weight.unsqueeze(2), bias, *options).squeeze(2)
    pixels, weights = channels_last(x), channels_last(weight).view(C_OUT, -1)
    y = torch.empty((N, *size_out, C_OUT), dtype=x.dtype, device=x.device)
    configuration, block, tiles = tiling(y, C_IN)
    _conv2d_kernel[(min(tiles, multiprocessors()),)](
        TensorDescriptor.from_tensor(pixels, [*block, configuration["BLOCK_C"]]),
        TensorDescriptor.from_tensor(weights, [configuration["BLOCK_OUT"], configuration["BLOCK_C"]]),
        TensorDescriptor.from_tensor(y, [*block, configuration["BLOCK_OUT"]]),
        bias, N, *size_out, C_OUT, *padding, *dilation, C_IN=C_IN, KH=taps[0], KW=taps[1],
        BLOCK_N=block[0], BLOCK_H=block[1], BLOCK_W=block[2], **configuration,
    )  # fmt: skip
    return y.permute(0, 3, 1, 2)


def conv2d(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
) -> torch.Tensor:
    """Convolution over two axes, as `torch.nn.functional.conv2d` with one group.

    Strides above 1, and channels whose rows are no multiples of 16 bytes, are gathered by pointers instead
    (conv_gather.py), which is slower.

    Parameters
    ----------
    x
        Shape (N, C_in, H, W), float16, bfloat16 or float32; fastest in channels_last, other layouts are copied to it.
    weight
        Shape (C_out, C_in, KH, KW), dtype of ``x``; the same of its layout.
    bias
        Shape (C_out,), dtype of ``x``.
    stride, padding, dilation
        One number for both axes, or two.

    Returns
    -------
    torch.Tensor
        Shape (N, C_out, H_out, W_out), dtype of ``x``, channels_last. Gradients flow to all three arguments.

    Raises
    ------
    ValueError
        If the shapes or dtypes do not fit, the output is empty, or it is bfloat16 and there is no GPU.

    Examples
    --------
    >>> x = torch.ones(1, 1, 3, 3, device=device.DEVICE)
    >>> conv2d(x, torch.ones(1, 1, 3, 3, device=device.DEVICE), padding=1).tolist()
    [[[[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]]]
    """
    stride, padding, dilation = (per_axis(one, 2) for one in (stride, padding, dilation))
    require_convolution("conv2d", x, weight, bias, {"stride": stride, "padding": padding, "dilation": dilation})
    device.refuse_bfloat16("conv2d", x)
    return Convolution.apply(_product, x, weight, bias, stride, padding, dilation)  # pyright: ignore
