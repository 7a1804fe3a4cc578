"""Convolutions over two axes: layers of a ResNet, its stem, a stride, gradients, and one shorter than a launch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.kernel_row import Row
from lablib.kernels.conv2d import conv2d, conv2d_cost


def rows() -> Iterator[Row]:
    torch.backends.cudnn.benchmark = True
    yield _row(64, 256, 56, 256, 3, least_ratio=0.8)
    yield _row(64, 256, 56, 256, 3, stride=2)
    yield _row(64, 3, 224, 64, 7, stride=2)
    yield gradients("conv2d", conv2d, F.conv2d, *_arguments(64, 256, 56, 256, 3))
    # Shorter than their launch from Python, so timed inside a graph.
    yield _row(64, 64, 56, 64, 3, graph=True)
    yield _row(64, 512, 7, 512, 3, least_ratio=0.909, graph=True)
    yield _row(8, 64, 28, 64, 3, least_ratio=0.909, graph=True)


def _arguments(N: int, C: int, size: int, C_out: int, taps: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(N, C, size, size, device="cuda")
    weight = torch.randn(C_out, C, taps, taps, device="cuda") / (C * taps * taps) ** 0.5
    x, weight = (one.bfloat16().to(memory_format=torch.channels_last) for one in (x, weight))
    return x, weight


def _exact(x: torch.Tensor, weight: torch.Tensor, **options: int) -> torch.Tensor:
    with torch.backends.cudnn.flags(allow_tf32=False):
        return F.conv2d(x.float(), weight.float(), **options)


def _row(
    N: int,
    C: int,
    size: int,
    C_out: int,
    taps: int,
    stride: int = 1,
    least_ratio: float | None = None,
    graph: bool = False,
) -> Row:
    x, weight = _arguments(N, C, size, C_out, taps)
    options = {"stride": stride, "padding": taps // 2}
    cost = conv2d_cost(N, C, (size, size), C_out, (taps, taps), (size // stride, size // stride), 2)
    writes = N * C_out * (size // stride) ** 2 * 2
    return Row(
        "conv2d",
        f"bf16 {N}×{C}×{size}² · {C_out}×{taps}²" + (f", stride {stride}" if stride > 1 else ""),
        ours=lambda: conv2d(x, weight, **options),
        peers={"cuDNN": lambda: F.conv2d(x, weight, **options)},
        exact=lambda: _exact(x, weight, **options),
        usual="cuDNN",
        flops=cost.flops,
        reads=cost.bytes - writes,
        writes=writes,
        least_ratio=least_ratio,
        graph=graph,
    )


def gradients(
    name: str, ours: Callable[..., Any], cudnn: Callable[..., Any], x: torch.Tensor, weight: torch.Tensor
) -> Row:
    """Gradients of ``x`` and ``weight`` of a convolution whose output has the size of its input."""
    taps = weight.shape[2]
    x, weight = x.requires_grad_(), weight.requires_grad_()
    outputs = {"ours": ours(x, weight, padding=taps // 2), "cuDNN": cudnn(x, weight, padding=taps // 2)}
    upstream = torch.randn_like(outputs["cuDNN"])

    def backward(of: str) -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad(outputs[of], (x, weight), upstream, retain_graph=True)

    def exact() -> tuple[torch.Tensor, ...]:
        wide = [one.detach().float().requires_grad_() for one in (x, weight)]
        with torch.backends.cudnn.flags(allow_tf32=False):
            return torch.autograd.grad(cudnn(*wide, padding=taps // 2), wide, upstream.float())

    moved = x.nbytes + weight.nbytes
    return Row(
        f"{name} backward",
        f"bf16 {'×'.join(map(str, x.shape))} · {weight.shape[0]}×{taps}{'²³'[x.dim() - 4]}",
        ours=lambda: backward("ours"),
        peers={"cuDNN": lambda: backward("cuDNN")},
        exact=exact,
        usual="cuDNN",
        flops=4 * upstream.numel() * weight[0].numel(),
        reads=moved + upstream.nbytes,
        writes=moved,
    )
