"""Matrix products of a mixture of experts: one for each expert, of as many rows as were sent to it, in one launch.

    y[t] = x[t] · W[e]   for the rows t of expert e,   ends[e - 1] <= t < ends[e],   x sorted by expert

How many rows an expert gets is known on the GPU only, and differs widely. So the number of tiles is not known when
the kernel is launched. A fixed number of programs, one a multiprocessor, shares out whatever tiles there turn out to
be: each program counts the tiles of all experts from `ends`, and takes every P-th one.

                  expert 0       expert 1 (few rows)    expert 2
    rows of x   ┌────┬────┬──┐ ┌─┐                    ┌────┬────┬────┐      tiles of BLOCK_M rows, the last of each
    tiles       │ 0  │ 1  │2 │ │3│                    │ 4  │ 5  │ 6  │      expert partly empty; times ⌈N/BLOCK_N⌉
                └────┴────┴──┘ └─┘                    └────┴────┴────┘

    program p:   for tile in p, p + P, p + 2P, ...:   find its expert   →   x[rows] · W[e]   →   rows of this expert

A tile may load rows of the next expert along with its own: they change no other rows, and are not stored.

Binding roof: matrix throughput when experts get hundreds of rows; else memory bandwidth, by the weights of all
experts that got any.

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16, 64 experts of 2048 × 2048 under a load by Zipf's law: 65536 rows
take 0.877 ms with K contiguous and 0.849 ms with N (648 TFLOP/s, 0.83 of the roof), where torch._grouped_mm takes 0.992
and 0.966 ms; 256 rows take 0.106 ms (3.91 TB/s, 0.89 of the roof), where it takes 0.151 ms.

Source: Gale et al., "MegaBlocks", arXiv:2211.15841, sections 3 and 5.1; Shazeer et al., arXiv:1701.06538, section 2.
"""

from __future__ import annotations

from typing import Any

import torch

from lablib import device
from lablib.gpu.cost import Cost
from lablib.kernels.schedule import multiprocessors
from lablib.kernels.tuned import Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip
from triton.tools.tensor_descriptor import TensorDescriptor  # isort: skip

__all__ = ["matmul_experts", "matmul_experts_cost", "matmul_experts_reference"]

NAMES = ("BLOCK_M", "BLOCK_N", "BLOCK_K", "RESIDENT", "num_warps", "num_stages")
CASES = {
    ("many", 2): (128, 256, 64, 1, 8, 3),
    ("few", 2): (16, 128, 128, 2, 4, 4),
    ("many", 4): (128, 128, 32, 1, 8, 3),
    ("few", 4): (16, 128, 64, 1, 4, 4),
}
CONFIGURATIONS = Tuned(
    {
        ("sm_90", "3.6"): {case: dict(zip(NAMES, sizes, strict=True)) for case, sizes in CASES.items()},
        ("interpreter", ""): {case: dict(zip(NAMES, (32, 32, 32, 1, 4, 1), strict=True)) for case in CASES},
    }
)
"""By how many rows an expert gets, and bytes an element."""


def matmul_experts_reference(x: torch.Tensor, weight: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """One product an expert in plain torch."""
    bounds = [0, *ends.tolist()]
    parts = [x[first:last] @ w for first, last, w in zip(bounds[:-1], bounds[1:], weight, strict=True)]
    return torch.cat(parts)


def matmul_experts_cost(rows: int, N: int, K: int, busy: int, itemsize: int) -> Cost:
    """Least cost: x and the weights of the ``busy`` experts that got rows read once, y written once."""
    return Cost(flops=2 * rows * N * K, bytes=(rows * K + busy * K * N + rows * N) * itemsize)


@triton.jit
def _matmul_experts_kernel(
    x_desc, w_desc, ends_ptr, y_ptr, N, K, E, y_stride_m,
    EXPERTS: tl.constexpr, K_LAST: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    # Every expert's rows and tiles, in one register of each thread.
    experts = tl.arange(0, EXPERTS)
    ends = tl.load(ends_ptr + experts, mask=experts < E, other=0)
    starts = tl.load(ends_ptr + experts - 1, mask=(experts > 0) & (experts < E), other=0)
    tiles_n = tl.cdiv(N, BLOCK_N)
    tiles = tl.cdiv(ends - starts, BLOCK_M) * tiles_n
    after = tl.cumsum(tiles, axis=0)
    total = tl.sum(tiles, axis=0)
    # flatten makes one loop of both, so that the first loads of a tile run ahead while the last one is stored.
    for tile in tl.range(tl.program_id(0), total, tl.num_programs(0), flatten=True):
        mine = (after - tiles <= tile) & (tile < after)
        expert = tl.sum(tl.where(mine, experts, 0), axis=0)
        in_expert = tile - tl.sum(tl.where(mine, after - tiles, 0), axis=0)
        row = tl.sum(tl.where(mine, starts, 0), axis=0) + in_expert // tiles_n * BLOCK_M
        end = tl.sum(tl.where(mine, ends, 0), axis=0)
        column = in_expert % tiles_n * BLOCK_N
        acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
        for k in range(0, K, BLOCK_K):
            x = x_desc.load([row, k])
            if K_LAST:
                w = w_desc.load([expert, column, k]).reshape(BLOCK_N, BLOCK_K).T
            else:
                w = w_desc.load([expert, k, column]).reshape(BLOCK_K, BLOCK_N)
            acc = tl.dot(x, w, acc, input_precision="ieee")
        rows = (row + tl.arange(0, BLOCK_M)).to(tl.int64)
        columns = column + tl.arange(0, BLOCK_N)
        y_ptrs = y_ptr + rows[:, None] * y_stride_m + columns[None, :]
        tl.store(y_ptrs, acc.to(y_ptr.dtype.element_ty), mask=(rows[:, None] < end) & (columns[None, :] < N))


@triton.jit
def _gradient_of_weights_kernel(
    x_ptr, dy_ptr, ends_ptr, d_ptr, K, N, x_stride_m, dy_stride_m,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """Of one expert's weights the tile [BLOCK_K, BLOCK_N]: xᵀ · dy over the rows of this expert."""
    expert = tl.program_id(2)
    start = tl.load(ends_ptr + expert - 1, mask=expert > 0, other=0)
    end = tl.load(ends_ptr + expert)
    inner = tl.program_id(1) * BLOCK_K + tl.arange(0, BLOCK_K)
    columns = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    rows = tl.arange(0, BLOCK_M)
    acc = tl.zeros((BLOCK_K, BLOCK_N), dtype=tl.float32)
    for row in range(start, end, BLOCK_M):
        at = (row + rows).to(tl.int64)
        x_ptrs = x_ptr + at[None, :] * x_stride_m + inner[:, None]
        dy_ptrs = dy_ptr + at[:, None] * dy_stride_m + columns[None, :]
        x = tl.load(x_ptrs, mask=(inner[:, None] < K) & (at[None, :] < end), other=0.0)
        dy = tl.load(dy_ptrs, mask=(at[:, None] < end) & (columns[None, :] < N), other=0.0)
        acc = tl.dot(x, dy, acc, input_precision="ieee")
    d_ptrs = d_ptr + expert.to(tl.int64) * K * N + inner[:, None] * N + columns[None, :]
    tl.store(d_ptrs, acc.to(d_ptr.dtype.element_ty), mask=(inner[:, None] < K) & (columns[None, :] < N))


class _MatmulExperts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight, ends)
        return _product(x, weight, ends)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        dy, (x, weight, ends) = gradients[0].contiguous(), ctx.saved_tensors
        dx = dw = None
        if ctx.needs_input_grad[0]:  # the same operation, with every expert's weights transposed
            dx = _product(dy, weight.transpose(1, 2), ends)
        if ctx.needs_input_grad[1]:
            E, K, N = weight.shape
            dw = torch.empty_like(weight, memory_format=torch.contiguous_format)
            size = 128 if not device.INTERPRETED else 32
            _gradient_of_weights_kernel[(triton.cdiv(N, size), triton.cdiv(K, size), E)](
                x, dy, ends, dw, K, N, x.stride(0), dy.stride(0),
                BLOCK_M=size // 2, BLOCK_N=size, BLOCK_K=size, num_warps=8, num_stages=4,
            )  # fmt: skip
        return dx, dw, None


def _product(x: torch.Tensor, weight: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    (rows, K), (E, _, N) = x.shape, weight.shape
    y = torch.empty((rows, N), dtype=x.dtype, device=x.device)
    if not rows:
        return y
    k_last = weight.stride(1) == 1

    def launch(config: Any) -> None:
        config = dict(config)
        programs = config.pop("RESIDENT") * multiprocessors()
        BLOCK_M, BLOCK_N, BLOCK_K = (config[name] for name in ("BLOCK_M", "BLOCK_N", "BLOCK_K"))
        stored, block = (weight.transpose(1, 2), [BLOCK_N, BLOCK_K]) if k_last else (weight, [BLOCK_K, BLOCK_N])
        _matmul_experts_kernel[(programs,)](
            TensorDescriptor(x, list(x.shape), list(x.stride()), [BLOCK_M, BLOCK_K]),
            TensorDescriptor(stored, list(stored.shape), list(stored.stride()), [1, *block]),
            ends, y, N, K, E, N, EXPERTS=max(triton.next_power_of_2(E), 16), K_LAST=k_last, **config,
        )  # fmt: skip

    launch(CONFIGURATIONS.configuration(("many" if rows >= 32 * E else "few", x.element_size()), launch))
    return y


def matmul_experts(x: torch.Tensor, weight: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """Product of every row of ``x`` with the weights of its expert.

    Parameters
    ----------
    x
        Shape (T, K), float16, bfloat16 or float32, rows sorted by expert, unit stride along K.
    weight
        Shape (E, K, N), dtype of ``x``, unit stride along K or along N.
    ends
        Shape (E,), int32: expert e has the rows ``ends[e - 1]`` (0 for the first) to ``ends[e]``; the last is T.

    Returns
    -------
    torch.Tensor
        Shape (T, N), dtype of ``x``. Its gradients with respect to ``x`` and ``weight`` exist.

    Raises
    ------
    ValueError
        If shapes, dtypes or strides are others, or the rows of a matrix do not begin at multiples of 16 bytes, which
        the hardware that loads tiles wants.

    Examples
    --------
    >>> x = torch.ones(3, 16, device=device.DEVICE)
    >>> weight = torch.stack([torch.eye(16), 2 * torch.eye(16)]).to(device.DEVICE)
    >>> matmul_experts(x, weight, torch.tensor([1, 3], dtype=torch.int32, device=device.DEVICE))[:, 0].tolist()
    [1.0, 2.0, 2.0]
    """
    fits = (
        x.dim() == 2
        and weight.dim() == 3
        and ends.shape == (weight.shape[0],)
        and x.shape[1] == weight.shape[1]
        and x.dtype == weight.dtype
        and ends.dtype == torch.int32
        and x.stride(1) == 1
        and 1 in weight.stride()[1:]
    )
    steps = [stride for one in (x, weight) for stride in (*one.stride(), one.storage_offset()) if stride != 1]
    if not fits or any(step * x.element_size() % 16 for step in steps):
        raise ValueError(
            "matmul_experts takes x of shape (T, K), weights (E, K, N) of its dtype and int32 ends (E,), with unit "
            "stride along a row and rows that begin at multiples of 16 bytes; it got "
            f"x {x.dtype} {tuple(x.shape)} strides {x.stride()}, weights {weight.dtype} {tuple(weight.shape)} strides "
            f"{weight.stride()}, ends {ends.dtype} {tuple(ends.shape)}."
        )
    device.refuse_bfloat16("matmul_experts", x)
    return _MatmulExperts.apply(x, weight, ends)
