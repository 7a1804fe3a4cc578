"""Matrix product with weights that are zero in whole blocks.

    y[m, n-block] = sum over kept blocks (n-block, k-block) of x[m, k-block] · W[n-block, k-block]ᵀ

A dense product of tiles walks along all of K. This one walks along the blocks that are kept, and finds in a list
where on x each of them lies. Inside a block nothing differs from a dense tile, so tensor cores run at their rate:

                 K ──>              row of blocks 0:  columns 1, 4        starts = [0, 2, 3, 5]
           ┌──┬──┬──┬──┬──┐         row of blocks 1:  columns 0           columns = [1, 4, 0, 2, 3]
     W   0 │  │▒▒│  │  │▒▒│         row of blocks 2:  columns 2, 3        blocks: [5, BLOCK, BLOCK]
           ├──┼──┼──┼──┼──┤
         1 │▒▒│  │  │  │  │         program (m, n-block): one tile of y; the sum has as many terms
           ├──┼──┼──┼──┼──┤         as row n-block has kept blocks
         2 │  │  │▒▒│▒▒│  │
           └──┴──┴──┴──┴──┘

This is the BSR format of torch, `torch.Tensor.to_sparse_bsr`. Programs that follow each other take different rows of
blocks of W and the same rows of x, so x is read from memory once and kept in the L2 cache.

Binding roof: matrix throughput over the kept blocks; below about a tenth of them, reading x and writing y.

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16, a tenth of 8192 × 8192 kept and 8192 rows of x: 0.205 ms with
blocks of 128 and 0.285 ms with blocks of 64, where cuBLAS takes 1.30 and 1.31 ms over the dense weights, and torch's
BSR product 0.408 and 0.485 ms. 256 rows of x and 1024 × 1024 with blocks of 64 take 3.6 µs in a CUDA graph, cuBLAS 4.8.

Source: Gray, Radford and Kingma, "GPU kernels for block-sparse weights", OpenAI 2017, section 2; Gale et al.,
"MegaBlocks", arXiv:2211.15841, section 5.1 (both products of the gradient).
"""

from __future__ import annotations

from typing import Any

import torch

from lablib import device
from lablib.gpu.cost import Cost
from lablib.kernels.tuned import Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip
from triton.tools.tensor_descriptor import TensorDescriptor  # isort: skip

__all__ = ["matmul_block_sparse", "matmul_block_sparse_cost", "matmul_block_sparse_reference"]

BLOCKS = (32, 64, 128)

CONFIGURATIONS = Tuned(
    {
        ("sm_90", "3.6"): {
            32: {"BLOCK_M": 128, "BLOCK_K": 32, "num_warps": 4, "num_stages": 4},
            64: {"BLOCK_M": 128, "BLOCK_K": 64, "num_warps": 4, "num_stages": 6},
            128: {"BLOCK_M": 128, "BLOCK_K": 64, "num_warps": 4, "num_stages": 5},
        },
        # Without tensor descriptors every element has an address in registers: smaller tiles.
        ("sm_80", "3.6"): {block: {"BLOCK_M": 64, "BLOCK_K": 32, "num_warps": 4, "num_stages": 4} for block in BLOCKS},
        ("interpreter", ""): {
            block: {"BLOCK_M": 32, "BLOCK_K": 32, "num_warps": 4, "num_stages": 1} for block in BLOCKS
        },
    }
)


def matmul_block_sparse_reference(
    x: torch.Tensor, starts: torch.Tensor, columns: torch.Tensor, blocks: torch.Tensor
) -> torch.Tensor:
    """``x @ Wᵀ`` in plain torch, W with its zeros."""
    size, rows = blocks.shape[1], len(starts) - 1
    row_of = _row_of(starts, len(columns)).long()
    dense = torch.zeros(rows, x.shape[1] // size, size, size, dtype=x.dtype, device=x.device)
    dense = dense.index_put((row_of, columns.long()), blocks.to(x.dtype))
    return x @ dense.transpose(1, 2).reshape(rows * size, x.shape[1]).T


def matmul_block_sparse_cost(M: int, N: int, K: int, kept: int, block: int, itemsize: int) -> Cost:
    """Least cost: x and the kept blocks read once, y written once."""
    return Cost(flops=2 * M * kept * block**2, bytes=(M * K + kept * block**2 + M * N) * itemsize)


@triton.jit
def _matmul_block_sparse_kernel(
    x_desc, starts_ptr, columns_ptr, blocks_desc, y_ptr, M, N,
    BLOCK: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    PARTS: tl.constexpr = BLOCK // BLOCK_K
    block_row = tl.program_id(0)
    row = tl.program_id(1) * BLOCK_M
    first, last = tl.load(starts_ptr + block_row), tl.load(starts_ptr + block_row + 1)
    acc = tl.zeros((BLOCK_M, BLOCK), dtype=tl.float32)
    # One loop over the parts of all blocks, so that loads run ahead from one block into the next.
    for step in range(first * PARTS, last * PARTS):
        index, part = step // PARTS, step % PARTS * BLOCK_K
        column = tl.load(columns_ptr + index)
        x = x_desc.load([row, column * BLOCK + part])
        w = blocks_desc.load([index * BLOCK, part])
        acc = tl.dot(x, w.T, acc, input_precision="ieee")
    rows = row.to(tl.int64) + tl.arange(0, BLOCK_M)
    y_ptrs = y_ptr + rows[:, None] * N + block_row * BLOCK + tl.arange(0, BLOCK)[None, :]
    tl.store(y_ptrs, acc.to(y_ptr.dtype.element_ty), mask=rows[:, None] < M)


@triton.jit
def _gradient_of_blocks_kernel(
    x_ptr, row_of_ptr, columns_ptr, dy_ptr, d_ptr, M, x_stride_m, dy_stride_m, dy_stride_n,
    BLOCK: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    index = tl.program_id(0).to(tl.int64)
    block_row, column = tl.load(row_of_ptr + index).to(tl.int64), tl.load(columns_ptr + index).to(tl.int64)
    rows, inner = tl.arange(0, BLOCK_M), tl.arange(0, BLOCK)
    dy_ptrs = dy_ptr + (block_row * BLOCK + inner[:, None]) * dy_stride_n + rows[None, :] * dy_stride_m
    x_ptrs = x_ptr + column * BLOCK + rows[:, None] * x_stride_m + inner[None, :]
    acc = tl.zeros((BLOCK, BLOCK), dtype=tl.float32)
    for m in range(0, M, BLOCK_M):
        dy = tl.load(dy_ptrs, mask=rows[None, :] < M - m, other=0.0)
        x = tl.load(x_ptrs, mask=rows[:, None] < M - m, other=0.0)
        acc = tl.dot(dy, x, acc, input_precision="ieee")
        dy_ptrs += BLOCK_M * dy_stride_m
        x_ptrs += BLOCK_M * x_stride_m
    d_ptrs = d_ptr + index * BLOCK * BLOCK + inner[:, None] * BLOCK + inner[None, :]
    tl.store(d_ptrs, acc.to(d_ptr.dtype.element_ty))


class _MatmulBlockSparse(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, starts: torch.Tensor, columns: torch.Tensor, blocks: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(x, starts, columns, blocks)
        return _product(x, starts, columns, blocks)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (dy,), (x, starts, columns, blocks) = gradients, ctx.saved_tensors
        row_of = _row_of(starts, len(columns))
        dx = d_blocks = None
        if ctx.needs_input_grad[0]:
            # Wᵀ in the same format: its rows of blocks are the columns of W.
            order = columns.argsort(stable=True)
            counts = torch.bincount(columns, minlength=x.shape[1] // blocks.shape[1])
            transposed = blocks[order].transpose(1, 2).contiguous()
            dx = _product(dy.contiguous(), _starts_of(counts), row_of[order], transposed)
        if ctx.needs_input_grad[3]:
            d_blocks = torch.empty_like(blocks)
            size = blocks.shape[1]
            _gradient_of_blocks_kernel[(len(columns),)](
                x, row_of, columns, dy, d_blocks, len(x), x.stride(0), *dy.stride(),
                BLOCK=size, BLOCK_M=64 if not device.INTERPRETED else 32, num_warps=8 if size == 128 else 4,
            )  # fmt: skip
        return dx, None, None, d_blocks


def _row_of(starts: torch.Tensor, kept: int) -> torch.Tensor:
    """The row of blocks that each kept block stands in."""
    rows = torch.arange(len(starts) - 1, device=starts.device, dtype=starts.dtype)
    return rows.repeat_interleave(starts.diff(), output_size=kept)  # the size is given, so nothing waits for the GPU


def _starts_of(counts: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.pad(counts.cumsum(0), (1, 0)).to(torch.int32)


def _product(x: torch.Tensor, starts: torch.Tensor, columns: torch.Tensor, blocks: torch.Tensor) -> torch.Tensor:
    (M, K), size, block_rows = x.shape, blocks.shape[1], len(starts) - 1
    y = torch.empty((M, block_rows * size), dtype=x.dtype, device=x.device)
    if not len(blocks) or not M:
        return y.zero_()

    def launch(config: Any) -> None:
        BLOCK_M, BLOCK_K = config["BLOCK_M"], config["BLOCK_K"]
        _matmul_block_sparse_kernel[(block_rows, triton.cdiv(M, BLOCK_M))](
            TensorDescriptor(x, [M, K], [x.stride(0), 1], [BLOCK_M, BLOCK_K]), starts, columns,
            TensorDescriptor(blocks, [len(blocks) * size, size], [size, 1], [size, BLOCK_K]),
            y, M, block_rows * size, BLOCK=size, **config,
        )  # fmt: skip

    launch(CONFIGURATIONS.configuration(size, launch))
    return y


def matmul_block_sparse(
    x: torch.Tensor, starts: torch.Tensor, columns: torch.Tensor, blocks: torch.Tensor
) -> torch.Tensor:
    """Product of ``x`` with the transpose of weights that are zero in blocks.

    Parameters
    ----------
    x
        Shape (M, K), float16, bfloat16 or float32, unit stride along K, rows that begin at multiples of 16 bytes.
    starts
        Shape (N / block + 1,), int32: the blocks ``starts[i]`` to ``starts[i + 1]`` stand in row i of blocks.
    columns
        Shape (kept,), int32: where along K each block stands, in blocks.
    blocks
        Shape (kept, block, block), dtype of ``x``, contiguous, block 32, 64 or 128: parts of W of shape (N, K).

    Returns
    -------
    torch.Tensor
        Shape (M, N), dtype of ``x``. Its gradients with respect to ``x`` and ``blocks`` exist.

    Raises
    ------
    ValueError
        If shapes, dtypes or strides are others.

    Examples
    --------
    >>> starts = torch.tensor([0, 1], dtype=torch.int32, device=device.DEVICE)
    >>> x = torch.arange(64.0, device=device.DEVICE)[None]
    >>> matmul_block_sparse(x, starts, starts[1:], torch.eye(32, device=device.DEVICE)[None])[0, :3].tolist()
    [32.0, 33.0, 34.0]
    """
    fits = (
        x.dim() == 2
        and starts.dim() == columns.dim() == 1
        and blocks.dim() == 3
        and blocks.shape[1] == blocks.shape[2]
        and blocks.shape[1] in BLOCKS
        and len(columns) == len(blocks)
        and x.shape[1] % blocks.shape[1] == 0
        and x.dtype == blocks.dtype
        and starts.dtype == columns.dtype == torch.int32
    )
    aligned = all(step * x.element_size() % 16 == 0 for step in (x.stride(0), x.storage_offset()))
    if not fits or x.stride(1) != 1 or not aligned or not blocks.is_contiguous():
        raise ValueError(
            "matmul_block_sparse takes x of shape (M, K) with unit stride along K and rows that begin at multiples of "
            "16 bytes, int32 starts and columns, and contiguous blocks of 32, 64 or 128 squared that divide K, in the "
            "dtype of x; it got x "
            f"{x.dtype} {tuple(x.shape)} strides {x.stride()}, starts {starts.dtype} {tuple(starts.shape)}, columns "
            f"{columns.dtype} {tuple(columns.shape)}, blocks {blocks.dtype} {tuple(blocks.shape)}."
        )
    device.refuse_bfloat16("matmul_block_sparse", x)
    return _MatmulBlockSparse.apply(x, starts, columns, blocks)
