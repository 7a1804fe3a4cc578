"""Measure lab06 on a GPU: run its solution's tests, then time its kernels beside PyTorch's.

    python -m benchmarks.lab06 [FILE]

Every kernel is checked against its oracle by the lab's own tests first; nothing is timed if one fails. Times are
medians with a cold L2 on random data. The lab shows the file that this writes, which is
benchmarks/results/<date>-<machine>-lab06.json unless given.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lablib import device

import torch  # isort: skip
import triton  # isort: skip
import triton.language as tl  # isort: skip

from autograder.master import load  # isort: skip
from benchmarks import result_files  # isort: skip
from benchmarks.solved_lab import solved  # isort: skip
from lablib.gpu.bench import measured_roofs, median_seconds  # isort: skip

MASTER = Path(__file__).parents[1] / "solutions/lab06_triton_kernels/lab06_triton_kernels.py"


@triton.jit
def _ordered_linear_kernel(
    x_ptr, w_ptr, y_ptr, M, N, K, GROUP_M: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """The lab's `linear` in its serpentine order of programs, for operands that the blocks divide."""
    tiles_m, tiles_n = tl.cdiv(M, BLOCK_M), tl.cdiv(N, BLOCK_N)
    pid = tl.program_id(0)
    group = pid // (GROUP_M * tiles_n)
    height = tl.minimum(tiles_m - group * GROUP_M, GROUP_M)
    i = pid % (GROUP_M * tiles_n)
    rows = (group * GROUP_M + i % height) * BLOCK_M + tl.arange(0, BLOCK_M)
    column = tl.where(group % 2 == 0, i // height, tiles_n - 1 - i // height)
    columns = column * BLOCK_N + tl.arange(0, BLOCK_N)
    inner = tl.arange(0, BLOCK_K)
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for k in range(0, K, BLOCK_K):
        x_tile = tl.load(x_ptr + rows[:, None] * K + (k + inner)[None, :])
        w_tile = tl.load(w_ptr + columns[None, :] * K + (k + inner)[:, None])
        acc = tl.dot(x_tile, w_tile, acc)
    tl.store(y_ptr + rows[:, None] * N + columns[None, :], acc.to(tl.float16))


def ordered_linear(x: torch.Tensor, w: torch.Tensor, GROUP_M: int) -> torch.Tensor:
    """x · wᵀ with programs in groups of ``GROUP_M`` rows of tiles of 128 × 128, of which every second runs back."""
    (M, K), N = x.shape, w.shape[0]
    y = torch.empty((M, N), dtype=x.dtype, device=x.device)
    _ordered_linear_kernel[((M // 128) * (N // 128),)](
        x, w, y, M, N, K, GROUP_M=GROUP_M, BLOCK_M=128, BLOCK_N=128, BLOCK_K=64, num_warps=8, num_stages=4
    )
    return y


def softmax_rows(softmax_t: Callable[..., torch.Tensor]) -> list[dict[str, Any]]:
    """Softmax with a temperature: two PyTorch calls, torch.compile, the lab's kernel."""
    x = torch.randn(16384, 8192, device=device.DEVICE, dtype=torch.float16)

    def eager(x: torch.Tensor, temperature: float) -> torch.Tensor:
        return torch.softmax(x / temperature, -1)

    peers = {
        "eager: x / t, then softmax": eager,
        "torch.compile": torch.compile(eager),
        "softmax_t": softmax_t,
    }
    least = 2 * x.nbytes
    rows = []
    for name, function in peers.items():
        seconds = median_seconds(function, x, 0.7)
        rows.append({"name": name, "seconds": seconds, "least_bytes": least, "bytes_per_s": least / seconds})
    return rows


def linear_rows(linear: Callable[..., torch.Tensor]) -> list[dict[str, Any]]:
    """x · wᵀ at 4096 cubed: tiles of several sizes, and cuBLAS."""
    x, w = (torch.randn(4096, 4096, device=device.DEVICE, dtype=torch.float16) for _ in range(2))
    tiles = {
        "32 × 32 × 32, 4 warps": (32, 32, 32, 4, 3),
        "128 × 128 × 64, 8 warps": (128, 128, 64, 8, 3),
        "128 × 256 × 64, 4 warps (spills)": (128, 256, 64, 4, 3),
        "128 × 256 × 64, 8 warps": (128, 256, 64, 8, 3),
    }
    rows = []
    for name, tile in tiles.items():
        seconds = median_seconds(linear, x, w, *tile)
        rows.append({"name": name, "seconds": seconds, "flops_per_s": 2 * 4096**3 / seconds})
    seconds = median_seconds(torch.nn.functional.linear, x, w)
    return [*rows, {"name": "cuBLAS", "seconds": seconds, "flops_per_s": 2 * 4096**3 / seconds}]


def order_rows() -> list[dict[str, Any]]:
    """8192 × 8192 × 16384 with programs in groups of 1, 2, 8 and 16 rows."""
    M, N, K = 8192, 8192, 16384
    x = torch.randn(M, K, device=device.DEVICE, dtype=torch.float16)
    w = torch.randn(N, K, device=device.DEVICE, dtype=torch.float16)
    want = torch.nn.functional.linear(x[:128], w).float()
    rows = []
    for GROUP_M in (1, 2, 4, 8, 16):
        error = (ordered_linear(x, w, GROUP_M)[:128].float() - want).norm() / want.norm()
        if not error < 2e-3:
            raise AssertionError(f"GROUP_M = {GROUP_M}: relative error {error:.1e}, expected below 2e-3.")
        seconds = median_seconds(ordered_linear, x, w, GROUP_M, repeat_ms=400)
        rows.append({"GROUP_M": GROUP_M, "seconds": seconds, "flops_per_s": 2 * M * N * K / seconds})
    return rows


def main(path: Path | None = None) -> None:
    """Check, measure, and write ``path``."""
    if device.INTERPRETED:
        raise SystemExit("benchmarks.lab06 needs a GPU: the interpreter's times say nothing about a kernel.")
    names, tests = solved(load(MASTER))
    result = {
        **result_files.gpu(),
        "tests": tests,
        "roofs": measured_roofs(),
        "softmax_t, 16384 × 8192 float16": softmax_rows(names["softmax_t"]),
        "linear, 4096 × 4096 × 4096 float16": linear_rows(names["linear"]),
        "program order, 8192 × 8192 × 16384 float16": order_rows(),
    }
    print(result_files.write(result, result_files.gpu_slug(), "lab06", path))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
