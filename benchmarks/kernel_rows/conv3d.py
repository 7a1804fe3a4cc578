"""Convolutions over three axes: the shape of a video network's middle, its gradients, and one shorter than a launch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from benchmarks.kernel_row import Row
from benchmarks.kernel_rows.conv2d import gradients
from lablib.kernels.conv3d import conv3d, conv3d_cost

CAUSE = (
    "13 tiles on 132 multiprocessors, each a chain of 27 steps of 0.37 µs, far longer than a step's copies and "
    "products take by their rates: latency. The sum over taps is not split. No other tile was measured at this shape."
)


def rows() -> Iterator[Row]:
    torch.backends.cudnn.benchmark = True
    yield _row(8, 128, (16, 56, 56), 128, least_ratio=0.75)
    yield gradients("conv3d", conv3d, F.conv3d, *_arguments(8, 128, (16, 56, 56), 128))
    yield _row(1, 64, (8, 14, 14), 64, least_ratio=0.909, graph=True, cause=CAUSE)


def _arguments(N: int, C: int, size: tuple[int, int, int], C_out: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(N, C, *size, device="cuda")
    weight = torch.randn(C_out, C, 3, 3, 3, device="cuda") / (27 * C) ** 0.5
    x, weight = (one.bfloat16().to(memory_format=torch.channels_last_3d) for one in (x, weight))
    return x, weight


def _row(
    N: int, C: int, size: tuple[int, int, int], C_out: int, least_ratio: float, graph: bool = False, cause: str = ""
) -> Row:
    x, weight = _arguments(N, C, size, C_out)

    def exact() -> torch.Tensor:
        with torch.backends.cudnn.flags(allow_tf32=False):
            return F.conv3d(x.float(), weight.float(), padding=1)

    cost = conv3d_cost(N, C, size, C_out, (3, 3, 3), size, 2)
    writes = cost.bytes - x.nbytes - weight.nbytes
    return Row(
        "conv3d",
        f"bf16 {N}×{C}×{'×'.join(map(str, size))} · {C_out}×3³",
        ours=lambda: conv3d(x, weight, padding=1),
        peers={"cuDNN": lambda: F.conv3d(x, weight, padding=1)},
        exact=exact,
        usual="cuDNN",
        flops=cost.flops,
        reads=x.nbytes + weight.nbytes,
        writes=writes,
        least_ratio=least_ratio,
        graph=graph,
        cause=cause,
    )
