"""What one hand-in may take, and the part of it that the kernel holds each process to."""

from __future__ import annotations

import resource
from dataclasses import dataclass

GIB = 2**30
MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Bounds on one hand-in.

    Attributes
    ----------
    seconds : float
        Wall-clock time of the whole session. It then ends with status `watch.TIME_OVER`.
    cpu_seconds : int
        CPU time of any one process, which then dies of SIGXCPU.
    memory : int
        Bytes that all processes hold together beyond what they share with the warm parent (the session then ends with
        status `watch.MEMORY_OVER`), and that any one process may ask for (it then gets a MemoryError).
    address_space : int or None
        Bytes that any one process may map. torch alone maps about 8 GiB; CUDA needs None.
    processes : int
        Processes and threads together.
    file_bytes : int
        Size of any one file.
    scratch_bytes : int
        Size of home, /tmp and /dev/shm together.
    open_files : int
        Open descriptors of any one process.
    """

    seconds: float = 300.0
    cpu_seconds: int = 120
    memory: int = 4 * GIB
    address_space: int | None = 16 * GIB
    processes: int = 64
    file_bytes: int = 256 * MIB
    scratch_bytes: int = 512 * MIB
    open_files: int = 256


def apply(limits: Limits) -> None:
    """Hold this process, and those that it starts, to `limits`."""
    cpu = limits.cpu_seconds
    for kind, soft, hard in (
        (resource.RLIMIT_AS, limits.address_space, limits.address_space),
        (resource.RLIMIT_DATA, limits.memory, limits.memory),
        (resource.RLIMIT_NPROC, limits.processes, limits.processes),
        (resource.RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files, limits.open_files),
        (resource.RLIMIT_CPU, cpu, cpu + 1),  # SIGXCPU first, which says why; SIGKILL for who ignores it
        (resource.RLIMIT_CORE, 0, 0),
    ):
        if soft is not None and hard is not None:
            ceiling = resource.getrlimit(kind)[1]
            ceiling = hard if ceiling == resource.RLIM_INFINITY else min(hard, ceiling)
            resource.setrlimit(kind, (min(soft, ceiling), ceiling))
