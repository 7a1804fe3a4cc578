"""Limits of the GPUs that the labs compile for and model.

Sources: NVIDIA CUDA C++ Programming Guide 13.0, table "Technical Specifications per Compute Capability" (threads,
registers, shared memory); NVIDIA A100, H200 and B200 datasheets (memory bandwidth, dense matrix throughput). The L2
size of the H200 is what its driver reports (60 MiB), that of the others is the vendor's.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GPU", "GPUS", "gpu"]


@dataclass(frozen=True)
class GPU:
    """One GPU: sizes in bytes, rates a second.

    Attributes
    ----------
    target
        Compile target, e.g. ``"sm_90"``.
    sms
        Streaming multiprocessors.
    shared_per_sm, shared_per_program
        Shared memory of an SM, and the most that one program may take.
    l2_bytes
        Size of the L2 cache.
    bytes_per_s
        Memory bandwidth.
    flops_per_s
        Dense float16 or bfloat16 matrix throughput.
    """

    name: str
    target: str
    sms: int
    shared_per_sm: int
    shared_per_program: int
    l2_bytes: int
    bytes_per_s: float
    flops_per_s: float
    registers_per_sm: int = 65536
    registers_per_thread: int = 255
    threads_per_sm: int = 2048
    programs_per_sm: int = 32


GPUS = {
    spec.target: spec
    for spec in (
        GPU("A100 80GB", "sm_80", 108, 164 * 1024, 163 * 1024, 40 * 2**20, 2.039e12, 312e12),
        GPU("H200", "sm_90", 132, 228 * 1024, 227 * 1024, 60 * 2**20, 4.8e12, 989e12),
        GPU("B200", "sm_100", 148, 228 * 1024, 227 * 1024, 126 * 2**20, 8.0e12, 2250e12),
    )
}


def gpu(target: str) -> GPU:
    """The GPU that stands for a compile target.

    Raises
    ------
    KeyError
        If the target is none of `GPUS`.

    Examples
    --------
    >>> gpu("sm_90").name
    'H200'
    """
    if target not in GPUS:
        raise KeyError(f"No GPU is described for target {target!r}: expected one of {', '.join(GPUS)}.")
    return GPUS[target]
