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
    for kind, most in (
        (resource.RLIMIT_AS, limits.address_space),
        (resource.RLIMIT_DATA, limits.memory),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 1),  # not 0, at which the kernel still starts a handler of crashes, such as apport
    ):
        if most is not None:
            _lower(kind, most, most)
    # SIGXCPU first, which says why it died; then SIGKILL for what ignores it.
    _lower(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1)


def _lower(kind: int, soft: int, hard: int) -> None:
    ceiling = resource.getrlimit(kind)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))
