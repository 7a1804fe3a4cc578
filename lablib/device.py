"""Where the code runs: one GPU when there is one, otherwise Triton's interpreter on the CPU.

This is the one module that decides. Import it before triton: Triton reads ``TRITON_INTERPRET`` when a kernel is
decorated, and its own library of kernels is decorated when triton is imported.
"""

from __future__ import annotations

import os
import random
import sys

import numpy as np
import torch

__all__ = ["DEVICE", "INTERPRETED", "describe", "refuse_bfloat16", "seed"]


def _interpreter_wanted() -> bool:
    return os.environ.get("TRITON_INTERPRET", "0") == "1" or not torch.cuda.is_available()


INTERPRETED: bool = _interpreter_wanted()
"""True when kernels run in Triton's interpreter, on the CPU."""

DEVICE: torch.device = torch.device("cpu" if INTERPRETED else "cuda")
"""Where a lab puts its tensors."""

if INTERPRETED:
    if "triton" in sys.modules and os.environ.get("TRITON_INTERPRET", "0") != "1":
        raise ImportError(
            "triton was imported before lablib.device, so its kernels cannot be interpreted on this machine without a "
            "GPU: restart the kernel and run the lab's first cell (it imports lablib) before anything else."
        )
    os.environ["TRITON_INTERPRET"] = "1"


def describe() -> str:
    """One sentence on where this process runs its kernels.

    Examples
    --------
    >>> "run" in describe()
    True
    """
    if INTERPRETED:
        return "No GPU is used: Triton kernels run in the interpreter, on the CPU."
    properties = torch.cuda.get_device_properties(DEVICE)
    return (
        f"Triton kernels are compiled and run on {properties.name} "
        f"({properties.multi_processor_count} SMs, {properties.total_memory / 2**30:.0f} GiB)."
    )


def refuse_bfloat16(name: str, *tensors: torch.Tensor) -> None:
    """Raise where bfloat16 arithmetic would be silently wrong: in the interpreter, which computes on its 16 bits.

    Raises
    ------
    ValueError
        If kernels are interpreted and a tensor is bfloat16. One on the ``meta`` device is not: nothing computes on it.
    """
    if INTERPRETED and any(tensor.dtype == torch.bfloat16 and not tensor.is_meta for tensor in tensors):
        raise ValueError(f"{name} cannot compute in bfloat16 without a GPU: use float16 or float32 here.")


def seed(value: int) -> None:
    """Seed Python, numpy and torch, so that a lab's demonstrations repeat."""
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)
