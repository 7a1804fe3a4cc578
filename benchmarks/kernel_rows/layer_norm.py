"""Layer norm over rows, forward and with its backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F

from benchmarks.kernel_norms import Norm, norm_rows
from benchmarks.kernel_row import Row
from lablib.kernels.layer_norm import layer_norm


def rows() -> Iterator[Row]:
    cause = (
        "latency: load, two reductions, load and store wait for each other; "
        "1, 2, 4 and 8 warps took 2.45, 2.53, 2.40 and 2.45 µs; weights loaded first give the same machine code"
    )
    yield from norm_rows(Norm("layer_norm", layer_norm, _usual, _liger(), 2, 0.95, cause))


def _usual(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return F.layer_norm(x, weight.shape, weight, bias)


def _liger() -> Callable[..., torch.Tensor] | None:
    try:
        from liger_kernel.ops.layer_norm import LigerLayerNormFunction  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    return lambda x, weight, bias: LigerLayerNormFunction.apply(x, weight, bias, 1e-5)
