"""Linear layer and cross entropy in one, so that the logits of all tokens never exist at once.

    z = x Wᵀ,   loss = mean_t(log sum_v exp(z[t, v]) - z[t, target[t]]),   dz = (softmax(z) - onehot) / T
    dx = dz W,  dW = dzᵀ x

A language model's largest tensor is not its weights but z: 8192 tokens and 128256 classes are 2 GB in bfloat16, and
an ordinary backward pass holds three of them. Here a chunk of tokens goes all the way before the next one begins, in
one buffer:

              H            V                          V
            ┌───┐   ┌─────────────┐            ┌─────────────┐        dx, chunk c  =  dz W
    chunk c │ x │ · │     Wᵀ      │  ── z ──>  │  dz over z  │ ──>
            └───┘   └─────────────┘            └─────────────┘        dW          +=  dzᵀ x

Nothing has to be remembered for a backward pass, nor computed again: the gradients of the summed loss are ready when
the forward pass ends, and the backward pass only scales them. Three matrix products are all the arithmetic, as
without chunks. The price is that dW is read and written once a chunk, so that a chunk must not be small: 3/2 · chunk
FLOP a byte in bfloat16. The products are the vendor's library's; the kernels are those of `cross_entropy`, dz over z.

Binding roof: matrix throughput, 6 · T · H · V operations.

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16, 8192 tokens, in milliseconds, with the share of eager's peak
memory. Liger chooses its own chunks, or takes chunks 8 times as long:

       H       V   chunk    here         eager   torch.compile, chunks   Liger   Liger, chunks × 8
    1024  151936    1024    12.5    9%    15.4                    20.9    58.8                14.8
    2048  128256    1024    19.9   13%    22.1                    31.0    28.3                20.3
    4096  128256     512    42.5   20%    40.9                    58.8    53.9                36.4

With H = 4096 eager is 4% and Liger, chunks × 8, is 17% faster: little memory is left for a chunk, for dW alone is 17%
of eager's peak. In tuning runs the three products alone took 11.1, 18.8 and 38.3 ms, and chunks of 4096 tokens brought
the last line to 39.3. A shape that is all launches, 256 × 512 to 4096 in a CUDA graph, takes 30.1 µs, eager 37.0;
torch.compile is 5% faster, with 28.6.

Source: chunks with gradients in the forward pass are Hsu et al., "Liger kernel: efficient Triton kernels for LLM
training", arXiv:2410.10989, section 3.2.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from lablib import device  # noqa: F401  (before triton: it decides whether kernels are interpreted)
from lablib.gpu.cost import Cost
from lablib.kernels.cross_entropy import (
    FLOATS,
    cross_entropy_reference,
    gradient_of_rows,
    losses_of_rows,
    total_of_losses,
)

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["fused_linear_cross_entropy", "fused_linear_cross_entropy_cost", "fused_linear_cross_entropy_reference"]

SCALED = 4096  # elements that a program scales


def fused_linear_cross_entropy_reference(
    x: torch.Tensor, weight: torch.Tensor, target: torch.Tensor, ignore_index: int = -100, reduction: str = "mean"
) -> torch.Tensor:
    """The same in plain torch, with all logits in memory."""
    return cross_entropy_reference(x @ weight.T, target, ignore_index, reduction)


def fused_linear_cross_entropy_cost(T: int, H: int, V: int, itemsize: int) -> Cost:
    """Least cost with both gradients: three matrix products; x and W read, dx and dW written."""
    return Cost(flops=6 * T * H * V, bytes=2 * (T + V) * H * itemsize + 8 * T)


@triton.jit
def _scale_kernel(dx_ptr, dw_ptr, upstream_ptr, share_ptr, n_x, n_w, BLOCK: tl.constexpr):
    factor = tl.load(upstream_ptr) * tl.load(share_ptr)
    if factor != 1.0:  # decided here: looking at it on the host would wait for the GPU
        program = tl.program_id(0)
        blocks_x = tl.cdiv(n_x, BLOCK)
        if program < blocks_x:
            _scale_block(dx_ptr, program, n_x, factor, BLOCK)
        else:
            _scale_block(dw_ptr, program - blocks_x, n_w, factor, BLOCK)


@triton.jit
def _scale_block(x_ptr, block, n, factor, BLOCK: tl.constexpr):
    offsets = tl.cast(block, tl.int64) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < n, other=0.0).to(tl.float32) * factor
    tl.store(x_ptr + offsets, x.to(x_ptr.dtype.element_ty), mask=offsets < n)


def fused_linear_cross_entropy(
    x: torch.Tensor,
    weight: torch.Tensor,
    target: torch.Tensor,
    ignore_index: int = -100,
    reduction: str = "mean",
    chunk: int = 1024,
) -> torch.Tensor:
    """Cross entropy of ``x @ weight.T``, differentiable once in ``x`` and ``weight``.

    Parameters
    ----------
    x
        Shape (T, H), float16, bfloat16 or float32, T at least 1.
    weight
        Shape (V, H), dtype of ``x``.
    target
        Shape (T,), int64. A class outside 0 ... V - 1 gives NaN, unless it is ``ignore_index``.
    ignore_index
        Rows of this class have no loss and no gradient, and the mean does not count them.
    reduction
        ``"mean"`` or ``"sum"``.
    chunk
        Tokens whose logits exist at a time.

    Returns
    -------
    torch.Tensor
        Shape (), float32.

    Raises
    ------
    ValueError
        If shapes, dtypes or ``reduction`` are others.

    Examples
    --------
    >>> x, weight = torch.zeros(2, 3, device=device.DEVICE), torch.zeros(4, 3, device=device.DEVICE)
    >>> target = torch.tensor([1, 3], device=device.DEVICE)
    >>> round(fused_linear_cross_entropy(x, weight, target).item(), 4)  # log 4
    1.3863
    """
    if (
        x.dim() != 2
        or weight.dim() != 2
        or x.shape[1] != weight.shape[1]
        or not len(x)
        or x.dtype != weight.dtype
        or x.dtype not in FLOATS
    ):
        raise ValueError(
            "fused_linear_cross_entropy takes a (T, H) and a (V, H) matrix of one dtype, float16, bfloat16 or float32; "
            f"it got {x.dtype} {tuple(x.shape)} and {weight.dtype} {tuple(weight.shape)}."
        )
    if target.shape != x.shape[:1] or target.dtype != torch.int64:
        raise ValueError(
            f"fused_linear_cross_entropy takes {len(x)} classes in int64 for {len(x)} tokens; "
            f"it got {target.dtype} {tuple(target.shape)}."
        )
    if reduction not in ("mean", "sum"):
        raise ValueError(f'fused_linear_cross_entropy reduces by "mean" or "sum"; it got {reduction!r}.')
    wanted = [torch.is_grad_enabled() and one.requires_grad for one in (x, weight)]
    result: Any = _FusedLinearCrossEntropy.apply(x, weight, target, ignore_index, reduction, chunk, *wanted)
    return result


class _FusedLinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        target: torch.Tensor,
        ignore_index: int,
        reduction: str,
        chunk: int,
        wants_dx: bool,
        wants_dw: bool,
    ) -> torch.Tensor:
        T, V = len(x), len(weight)
        buffer = torch.empty((min(chunk, T), V), dtype=x.dtype, device=x.device)
        dx = torch.empty(x.shape, dtype=x.dtype, device=x.device) if wants_dx else None
        dw = torch.empty(weight.shape, dtype=x.dtype, device=x.device) if wants_dw else None
        losses = torch.empty(T, dtype=torch.float32, device=x.device)
        for start in range(0, T, chunk):
            tokens = slice(start, start + chunk)
            z = buffer[: len(x[tokens])]
            torch.mm(x[tokens], weight.T, out=z)
            row_max, row_sum = losses_of_rows(z, target[tokens], ignore_index, losses[tokens])
            if dx is None and dw is None:
                continue
            # Not divided by T yet: in float16 most probabilities over T would be zero.
            gradient_of_rows(z, target[tokens], row_max, row_sum, ignore_index, gradient=z)
            if dx is not None:
                torch.mm(z, weight, out=dx[tokens])
            if dw is not None:
                dw.addmm_(z.T, x[tokens], beta=float(start > 0))
        total, share = total_of_losses(losses, target, ignore_index, reduction)
        ctx.gradients = dx, dw, share
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        if ctx.gradients is None:
            raise RuntimeError(
                "fused_linear_cross_entropy gives its gradients away in the first backward pass: call it again."
            )
        (dx, dw, share), ctx.gradients = ctx.gradients, None
        n_x, n_w = (0 if one is None else one.numel() for one in (dx, dw))
        blocks = triton.cdiv(n_x, SCALED) + triton.cdiv(n_w, SCALED)
        # One that is not wanted has no elements; the other's address stands for it.
        dx_or_dw, dw_or_dx = (dw if dx is None else dx), (dx if dw is None else dw)
        _scale_kernel[(blocks,)](dx_or_dw, dw_or_dx, upstream, share, n_x, n_w, BLOCK=SCALED)
        return dx, dw, None, None, None, None, None, None
