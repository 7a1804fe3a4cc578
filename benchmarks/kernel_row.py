"""One line of the kernels' benchmark: a kernel at one shape, its peers, and what bounds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Row"]


@dataclass(frozen=True)
class Row:
    """A kernel with one set of arguments, on the GPU.

    Attributes
    ----------
    kernel, case : str
        ``"softmax"``; ``"bf16 16384 × 8192"``.
    ours : callable
        Runs the kernel once and returns its result.
    peers : dict
        The same by others, by name.
    exact : callable
        The oracle, in float32 or float64; its result is compared with that of `ours`, tensor by tensor.
    usual : str, optional
        The peer whose error bounds ours; None where no peer computes in the same precision.
    flops : int
        Operations of the matrix units, 0 where arithmetic does not matter.
    matrix : str
        Whose rate bounds them: ``"bf16"``, ``"fp8"`` or ``"int8"``.
    reads, writes : int
        Least traffic with memory, in bytes.
    least_ratio : float, optional
        The target against the best peer: its time over ours.
    least_of_peer : dict
        Targets against single peers, by name.
    least_roof : float, optional
        The target against the roof, which is measured with the row's own traffic.
    most_memory : float, optional
        The target for memory: the peak of ours over that of the `usual` peer, inputs left out of both.
    bound : float, optional
        The largest relative error that is right here, where the dtype's own bound does not fit (fp8 and int4).
    graph : bool
        Times replays of a CUDA graph: the kernel is shorter than its launch.
    cause : str
        Why a target is missed, as the profile shows it, and what was tried.
    """

    kernel: str
    case: str
    ours: Callable[[], Any]
    peers: dict[str, Callable[[], Any]]
    exact: Callable[[], Any]
    usual: str | None = None
    flops: int = 0
    matrix: str = "bf16"
    reads: int = 0
    writes: int = 0
    least_ratio: float | None = None
    least_of_peer: dict[str, float] = field(default_factory=dict)
    least_roof: float | None = None
    most_memory: float | None = None
    bound: float | None = None
    graph: bool = False
    cause: str = ""
