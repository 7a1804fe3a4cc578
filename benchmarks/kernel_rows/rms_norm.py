"""RMS norm over rows, forward and with its backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F

from benchmarks.kernel_norms import Norm, norm_rows
from benchmarks.kernel_row import Row
from lablib.kernels.rms_norm import rms_norm


def rows() -> Iterator[Row]:
    cause = (
        "latency: load, a reduction, load and store wait for each other; "
        "1, 2, 4 and 8 warps took 1.97, 2.13, 1.97 and 2.02 µs"
    )
    yield from norm_rows(Norm("rms_norm", rms_norm, _usual, _liger(), 1, 0.97, cause))


def _usual(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return F.rms_norm(x, weight.shape, weight, 1e-6)


def _liger() -> Callable[..., torch.Tensor] | None:
    try:
        from liger_kernel.ops.rms_norm import LigerRMSNormFunction  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    return lambda x, weight: LigerRMSNormFunction.apply(x, weight, 1e-6, 0.0, "llama", False)
