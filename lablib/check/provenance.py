"""Where the numbers of a result come from: from kernels, or from somewhere else by way of a kernel.

A kernel that copies what torch or numpy computed moves the right bytes. So every element that a kernel loads must be an
argument's, or stored by a kernel before; every element of the result must have been stored; and a kernel may call
nothing that a GPU does not know.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lablib.gpu.launch import storage_address, tensor_of
from lablib.gpu.source import kernel_module
from lablib.gpu.traffic import Access, Trace, element_offsets
from lablib.gpu.vocabulary import complaints

__all__ = ["unearned"]


def unearned(trace: Trace, given: set[int], results: list[torch.Tensor]) -> list[str]:
    """Sentences on what came about without a kernel.

    Parameters
    ----------
    trace
        Of the call.
    given
        Addresses of the storages that a kernel may load from at once: those of the arguments and of zeros.
    results
        The tensors that the call returned.
    """
    for launch in trace.launches:
        foreign = complaints(kernel_module(launch.kernel)[0])
        if foreign:
            return [f"its kernel {launch.name} uses {', '.join(foreign)}, which no GPU has: use triton.language"]
    written: dict[int, np.ndarray] = {}
    for access in trace.accesses:
        tensor = _tensor(trace, access)
        places, seen = _bytes(tensor, access.offsets), _seen(written, tensor)
        if access.op != "store" and storage_address(tensor) not in given and not seen[places].all():
            return [
                f"{trace.launches[access.launch].name} loads from {access.buffer}, which is neither an argument of the "
                "function nor written by a kernel"
            ]
        if access.op != "load":
            seen[places] = True
    for tensor in results:
        offsets = element_offsets(tensor.shape, tensor.stride())
        if trace.launches and not _seen(written, tensor)[_bytes(tensor, offsets)].all():
            return ["it returns a tensor with elements that no kernel wrote"]
    return []


def _tensor(trace: Trace, access: Access) -> torch.Tensor:
    parameter = access.buffer.split("#")[0]
    tensor = tensor_of(trace.launches[access.launch].arguments[parameter])
    assert tensor is not None  # the tracer names buffers after tensors
    return tensor


def _bytes(tensor: torch.Tensor, offsets: np.ndarray) -> Any:
    """First byte of each element within the tensor's storage."""
    return (offsets + tensor.storage_offset()) * tensor.element_size()


def _seen(written: dict[int, np.ndarray], tensor: torch.Tensor) -> np.ndarray:
    return written.setdefault(storage_address(tensor), np.zeros(tensor.untyped_storage().nbytes(), dtype=bool))
