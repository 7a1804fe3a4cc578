"""Cross entropy of logits and class indices, forward and backward, without a copy of the probabilities.

    loss[m]      = log sum_n exp(x[m, n]) - x[m, t[m]]
    dx[m, n]     = (exp(x[m, n] - max[m]) / sum[m] - [n = t[m]]) · dloss[m]

Rows are long: 128256 classes in bfloat16 are 256 KB, more than an SM can hold. So a row is read twice, and only two
numbers a row pass from one pass to the other:

    forward, program m             ┌────────┬────────┬────────┬───┐
                                   │ tile 0 │ tile 1 │ tile 2 │ … │   row m of x
                                   └────────┴────────┴────────┴───┘
        every lane:  8 logits a tile ──> its own running maximum and sum, rescaled as the maximum grows
        at the end:  all lanes join  ──> max[m], sum[m], loss[m]

    backward, program (m, j):   tile j of x, max[m], sum[m], dloss[m]  ──>  tile j of dx

Lanes meet once a row, not once a tile: no barrier stands between two loads. The gradient has memory of its own, so the
logits survive; the upstream gradient may be any vector, and the host waits for nothing.

Binding roof: memory bandwidth. Three passes over M · N elements: read, read, write.

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16, forward and backward: 8192 rows of 128256 classes take 1.47 ms,
0.98 of the roof; torch.compile takes 2.59, Liger with a copy of the logits 3.13, torch 4.63 ms. 32768 rows of 32000
take 1.50 ms, 0.96 of the roof, against 2.70, 3.32 and 4.55 ms. 256 rows of 4096 in a CUDA graph take 8.0 µs,
torch.compile 11.0 and torch 19.0 µs.

Source: the running maximum and sum are Milakov and Gimelshein, "Online normalizer calculation for softmax",
arXiv:1805.02867, section 3.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lablib import device  # noqa: F401  (before triton: it decides whether kernels are interpreted)
from lablib.gpu.cost import Cost
from lablib.kernels.tuned import Configuration, Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["cross_entropy", "cross_entropy_cost", "cross_entropy_reference"]

FLOATS = (torch.float16, torch.bfloat16, torch.float32)
WIDTH = 8  # neighbouring logits of one lane: 16 bytes of bfloat16, the widest load
# A thread has 2 loads of 16 bytes in flight forward, 4 backward. In tuning runs on an H200 a hint to evict first cost
# 4%, copies to shared memory ahead of their use up to 18%, and a maximum a tile instead of a lane 11%.
FORWARD = Tuned(
    {("sm_90", "3.6"): {"row": {"LANES": 512, "num_warps": 8}}},
    candidates=tuple({"LANES": LANES, "num_warps": LANES // 64} for LANES in (256, 512, 1024, 2048)),
)
# Not searched: where the gradient takes the logits' place, a second run would find no logits.
BACKWARD = Tuned({("sm_90", "3.6"): {"row": {"BLOCK_N": 1024, "num_warps": 1}}})


def cross_entropy_reference(
    logits: Tensor, target: Tensor, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Cross entropy in plain torch."""
    kept = target != ignore_index
    chosen = logits.gather(1, target.where(kept, 0)[:, None])[:, 0]
    losses = torch.where(kept, logits.logsumexp(dim=1) - chosen, 0.0)
    mean = losses.sum() / kept.sum()
    return {"mean": mean, "sum": losses.sum(), "none": losses}[reduction]


def cross_entropy_cost(M: int, N: int, itemsize: int, backward: bool = True) -> Cost:
    """Least cost for M rows of N logits: one read forward; backward another and a write.

    A row brings 20 bytes along in either pass: its class, maximum, sum, and loss or upstream gradient.
    """
    passes, row_bytes = (3, 40) if backward else (1, 20)
    return Cost(flops=(5 + 4 * backward) * M * N, bytes=passes * M * N * itemsize + row_bytes * M)


@triton.jit
def _cross_entropy_kernel(
    logits_ptr, target_ptr, loss_ptr, max_ptr, sum_ptr, logits_row_stride, N, IGNORED,
    LANES: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    logits_ptr += row * logits_row_stride
    tile = tl.arange(0, LANES)[:, None] * WIDTH + tl.arange(0, WIDTH)[None, :]
    # The lowest finite number, not -inf: a lane that sees only -inf would compute -inf - (-inf).
    running_max = tl.full((LANES,), -3.4028234663852886e38, tl.float32)
    running_sum = tl.zeros((LANES,), tl.float32)
    for start in range(0, N, LANES * WIDTH):
        x = tl.load(logits_ptr + start + tile, mask=tile < N - start, other=float("-inf")).to(tl.float32)
        new_max = tl.maximum(running_max, tl.max(x, axis=1))
        z = tl.exp(x - new_max[:, None])
        running_sum = running_sum * tl.exp(running_max - new_max) + tl.sum(z, axis=1)
        running_max = new_max
    row_max = tl.max(running_max, axis=0)
    row_sum = tl.sum(running_sum * tl.exp(running_max - row_max), axis=0)
    target = tl.load(target_ptr + row)
    # A class that does not exist gives NaN, not a read outside the row: looking at it on the host would wait.
    chosen = tl.load(logits_ptr + target, mask=(target >= 0) & (target < N), other=float("nan")).to(tl.float32)
    loss = tl.log(row_sum) - (chosen - row_max)
    tl.store(loss_ptr + row, tl.where(target == IGNORED, 0.0, loss))
    tl.store(max_ptr + row, row_max)
    tl.store(sum_ptr + row, row_sum)


@triton.jit
def _total_kernel(loss_ptr, target_ptr, total_ptr, share_ptr, M, IGNORED, MEAN: tl.constexpr, BLOCK: tl.constexpr):
    """Sum or mean of the losses, by one program: an order that never changes, and one launch."""
    total = tl.zeros((BLOCK,), tl.float32)
    kept = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, M, BLOCK):
        rows = start + tl.arange(0, BLOCK)
        total += tl.load(loss_ptr + rows, mask=rows < M, other=0.0)
        kept += (tl.load(target_ptr + rows, mask=rows < M, other=IGNORED) != IGNORED).to(tl.float32)
    share = 1.0 / tl.sum(kept, axis=0) if MEAN else 1.0
    tl.store(total_ptr, tl.sum(total, axis=0) * share)
    tl.store(share_ptr, share)


@triton.jit
def _cross_entropy_backward_kernel(
    logits_ptr, target_ptr, max_ptr, sum_ptr, upstream_ptr, share_ptr, gradient_ptr,
    logits_row_stride, upstream_stride, N, blocks, IGNORED, BLOCK_N: tl.constexpr,
):  # fmt: skip
    row = (tl.program_id(0) // blocks).to(tl.int64)
    columns = (tl.program_id(0) % blocks) * BLOCK_N + tl.arange(0, BLOCK_N)
    inside = columns < N
    x = tl.load(logits_ptr + row * logits_row_stride + columns, mask=inside, other=float("-inf")).to(tl.float32)
    target = tl.load(target_ptr + row)
    upstream = tl.where(target == IGNORED, 0.0, 1.0)
    if upstream_ptr is not None:
        upstream *= tl.load(upstream_ptr + row * upstream_stride)
    if share_ptr is not None:
        upstream *= tl.load(share_ptr)
    # max and sum, not their log-sum-exp: beside large logits its rounding would show in every probability.
    scale = upstream / tl.load(sum_ptr + row)
    gradient = tl.exp(x - tl.load(max_ptr + row)) * scale - tl.where(columns == target, upstream, 0.0)
    tl.store(gradient_ptr + row * N + columns, gradient.to(gradient_ptr.dtype.element_ty), mask=inside)


def cross_entropy(logits: Tensor, target: Tensor, ignore_index: int = -100, reduction: str = "mean") -> Tensor:
    """Cross entropy between rows of logits and class indices, differentiable in the logits.

    Parameters
    ----------
    logits
        Shape (M, N), float16, bfloat16 or float32, unit stride along N.
    target
        Shape (M,), int64. A class outside 0 ... N - 1 gives NaN, unless it is ``ignore_index``.
    ignore_index
        Rows of this class have no loss and no gradient, and the mean does not count them.
    reduction
        ``"mean"``, ``"sum"`` or ``"none"``.

    Returns
    -------
    torch.Tensor
        Shape () or, unreduced, (M,); float32, whatever the logits are.

    Raises
    ------
    ValueError
        If shapes, dtypes, strides or ``reduction`` are others.

    Examples
    --------
    >>> target = torch.tensor([1, -100], device=device.DEVICE)
    >>> round(cross_entropy(torch.zeros(2, 4, device=device.DEVICE), target).item(), 4)  # log 4
    1.3863
    """
    is_matrix = logits.dim() == 2 and logits.stride(1) == 1 and logits.dtype in FLOATS
    if not is_matrix or target.shape != logits.shape[:1] or target.dtype != torch.int64:
        raise ValueError(
            "cross_entropy takes an (M, N) matrix of float16, bfloat16 or float32 with unit stride along N, and M "
            f"classes in int64; it got {logits.dtype} {tuple(logits.shape)} with strides {logits.stride()} and "
            f"{target.dtype} {tuple(target.shape)}."
        )
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'cross_entropy reduces by "mean", "sum" or "none"; it got {reduction!r}.')
    return _CrossEntropy.apply(logits, target, ignore_index, reduction)  # pyright: ignore


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor, ignore_index: int, reduction: str) -> Tensor:
        losses = torch.empty(len(target), dtype=torch.float32, device=logits.device)
        row_max, row_sum = losses_of_rows(logits, target, ignore_index, losses)
        result, share = losses, None
        if reduction != "none":
            result, share = total_of_losses(losses, target, ignore_index, reduction)
        ctx.save_for_backward(logits, target, row_max, row_sum, share)
        ctx.ignore_index = ignore_index
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore
        logits, target, row_max, row_sum, share = ctx.saved_tensors
        gradient = torch.empty_like(logits, memory_format=torch.contiguous_format)
        upstream = upstream.expand(len(target))
        gradient_of_rows(logits, target, row_max, row_sum, ctx.ignore_index, gradient, upstream, share)
        return gradient, None, None, None


def losses_of_rows(logits: Tensor, target: Tensor, ignore_index: int, losses: Tensor) -> tuple[Tensor, Tensor]:
    """Write the loss of each row to ``losses``; return its greatest logit and its sum of exponentials beside that."""
    M, N = logits.shape
    row_max, row_sum = (torch.empty(M, dtype=torch.float32, device=logits.device) for _ in range(2))

    def launch(configuration: Configuration) -> None:
        LANES = min(configuration["LANES"], max(triton.next_power_of_2(N) // WIDTH, 32))
        _cross_entropy_kernel[(M,)](
            logits, target, losses, row_max, row_sum, logits.stride(0), N, ignore_index,
            LANES=LANES, WIDTH=WIDTH, num_warps=min(configuration["num_warps"], LANES // 32),
        )  # fmt: skip

    launch(FORWARD.configuration("row", launch))
    return row_max, row_sum


def total_of_losses(losses: Tensor, target: Tensor, ignore_index: int, reduction: str) -> tuple[Tensor, Tensor]:
    """Sum or mean of the losses, and the share of one row in it: 1 over the rows that count, or 1."""
    total, share = torch.empty((2,), dtype=torch.float32, device=losses.device)
    BLOCK = min(triton.next_power_of_2(len(losses) + 1), 4096)
    _total_kernel[(1,)](losses, target, total, share, len(losses), ignore_index, MEAN=reduction == "mean", BLOCK=BLOCK)
    return total, share


def gradient_of_rows(
    logits: Tensor,
    target: Tensor,
    row_max: Tensor,
    row_sum: Tensor,
    ignore_index: int,
    gradient: Tensor,
    upstream: Tensor | None = None,
    share: Tensor | None = None,
) -> None:
    """Write the logits' gradient to ``gradient``, shape (M, N), contiguous; it may be the logits' own memory.

    A row's loss counts once, or ``upstream`` times, shape (M,), and ``share`` of that, shape ().
    """
    M, N = logits.shape
    configuration = BACKWARD.configuration("row")
    BLOCK_N = min(configuration["BLOCK_N"], triton.next_power_of_2(N))
    blocks = triton.cdiv(N, BLOCK_N)
    _cross_entropy_backward_kernel[(M * blocks,)](
        logits, target, row_max, row_sum, upstream, share, gradient,
        logits.stride(0), 0 if upstream is None else upstream.stride(0), N, blocks, ignore_index,
        BLOCK_N=BLOCK_N, num_warps=configuration["num_warps"],
    )  # fmt: skip
