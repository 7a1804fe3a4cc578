"""The gate of a SwiGLU layer: SiLU of one matrix times another, with its backward pass.

    y = silu(gate) · up,   silu(a) = a · s(a),   s(a) = 1 / (1 + exp(-a))

    dgate = dy · up · s(gate) · (1 + gate · (1 - s(gate)))
    dup   = dy · silu(gate)

    program (m, p):   gate, up [m, p·BLOCK : (p+1)·BLOCK]  ──load──>  silu, multiply  ──store──>  y[m, same columns]

Nothing but the inputs is kept for the backward pass: the sigmoid costs less to compute again than to load.

Binding roof: memory bandwidth (about 6 operations for 3 · itemsize bytes an element forward, 12 for 5 · itemsize
backward).

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16. The roof is a plain stream of the same bytes; a share above 1
beats that stream, not the memory:

    16384 × 8192: forward 0.186 ms, 1.04 of the roof; torch.compile is 1% faster, Liger level
                  forward and backward 0.501 ms, 1.00 of the roof, 1.01 × Liger; torch.compile is 1% faster
    64 × 2048 in a CUDA graph, forward: 0.0017 ms, 1.02 × Liger

Source: Shazeer, "GLU variants improve transformer", arXiv:2002.05202, section 2.
"""

from __future__ import annotations

from typing import Any

import torch

from lablib import device  # noqa: F401  (before triton: it decides whether kernels are interpreted)
from lablib.gpu.cost import Cost
from lablib.kernels.tuned import Configuration, Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["swiglu", "swiglu_cost", "swiglu_reference"]

# By the elements of a matrix: small blocks spread a small one over more multiprocessors.
LARGE = 2**20
FORWARD = Tuned(
    {("sm_90", "3.6"): {LARGE - 1: {"BLOCK": 1024, "num_warps": 8}, LARGE: {"BLOCK": 8192, "num_warps": 16}}},
    candidates=tuple(
        {"BLOCK": block, "num_warps": warps} for block in (1024, 2048, 4096, 8192) for warps in (4, 8, 16)
    ),
)
BACKWARD = Tuned(FORWARD.table, FORWARD.candidates)


def swiglu_reference(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """``silu(gate) · up`` in plain torch."""
    return gate * torch.sigmoid(gate) * up


def swiglu_cost(M: int, N: int, itemsize: int, backward: bool = False) -> Cost:
    """Least cost of one pass over M rows of N elements: every tensor moved once."""
    tensors, flops = (5, 12) if backward else (3, 6)
    return Cost(flops=flops * M * N, bytes=tensors * M * N * itemsize)


@triton.jit
def _swiglu_kernel(gate_ptr, up_ptr, y_ptr, gate_row_stride, up_row_stride, N, BLOCK: tl.constexpr):
    # int64: the number of an element passes 2**31 in a tensor of that many.
    row = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = columns < N
    gate = tl.load(gate_ptr + row * gate_row_stride + columns, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + row * up_row_stride + columns, mask=inside, other=0.0).to(tl.float32)
    y = gate * tl.sigmoid(gate) * up
    tl.store(y_ptr + row * N + columns, y.to(y_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _swiglu_backward_kernel(
    dy_ptr, gate_ptr, up_ptr, dgate_ptr, dup_ptr, dy_row_stride, gate_row_stride, up_row_stride, N,
    BLOCK: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = columns < N
    dy = tl.load(dy_ptr + row * dy_row_stride + columns, mask=inside, other=0.0).to(tl.float32)
    gate = tl.load(gate_ptr + row * gate_row_stride + columns, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + row * up_row_stride + columns, mask=inside, other=0.0).to(tl.float32)
    s = tl.sigmoid(gate)
    dgate = dy * up * s * (1.0 + gate * (1.0 - s))
    dup = dy * gate * s
    tl.store(dgate_ptr + row * N + columns, dgate.to(dgate_ptr.dtype.element_ty), mask=inside)
    tl.store(dup_ptr + row * N + columns, dup.to(dup_ptr.dtype.element_ty), mask=inside)


def _launch(kernel: Any, tuned: Tuned, inputs: tuple[torch.Tensor, ...], outputs: tuple[torch.Tensor, ...]) -> None:
    M, N = outputs[0].shape

    def launch(chosen: Configuration) -> None:
        BLOCK = min(chosen["BLOCK"], triton.next_power_of_2(max(N, 1)))
        strides = (one.stride(0) for one in inputs)
        kernel[(M, triton.cdiv(N, BLOCK))](*inputs, *outputs, *strides, N, BLOCK=BLOCK, num_warps=chosen["num_warps"])

    launch(tuned.up_to(min(M * N, LARGE), launch))


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        y = torch.empty(gate.shape, dtype=gate.dtype, device=gate.device)
        _launch(_swiglu_kernel, FORWARD, (gate, up), (y,))
        ctx.save_for_backward(gate, up)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        gate, up = ctx.saved_tensors
        (dy,) = gradients
        # The gradient of a plain sum is one number seen through strides of zero.
        dy = dy if dy.stride(1) == 1 else dy.contiguous()
        dgate, dup = (torch.empty(gate.shape, dtype=gate.dtype, device=gate.device) for _ in range(2))
        _launch(_swiglu_backward_kernel, BACKWARD, (dy, gate, up), (dgate, dup))
        return dgate, dup


def swiglu(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """SiLU of one matrix times another, element by element.

    Parameters
    ----------
    gate, up
        Both of shape (M, N) and one dtype, float16, bfloat16 or float32, unit stride along N: the two halves of one
        (M, 2N) matrix will do.

    Returns
    -------
    torch.Tensor
        Shape (M, N), dtype of the arguments, contiguous; differentiable by both.

    Raises
    ------
    ValueError
        If shapes or dtypes differ, or a stride along N is not 1.

    Examples
    --------
    >>> x = torch.zeros(1, 2, device=device.DEVICE)
    >>> swiglu(x, x + 1).tolist()
    [[0.0, 0.0]]
    """
    if gate.dim() != 2 or gate.shape != up.shape or gate.dtype != up.dtype or not gate.stride(1) == up.stride(1) == 1:
        raise ValueError(
            "swiglu takes two matrices of one shape and dtype, of unit stride along the rows; it got "
            f"{gate.dtype} {tuple(gate.shape)} strides {gate.stride()} and "
            f"{up.dtype} {tuple(up.shape)} strides {up.stride()}."
        )
    return _SwiGLU.apply(gate, up)  # pyright: ignore[reportReturnType]
