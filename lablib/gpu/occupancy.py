"""How many programs an SM holds at once, and which resource says so."""

from __future__ import annotations

from dataclasses import dataclass

from lablib.gpu.specs import GPU

__all__ = ["Occupancy", "occupancy"]

WARP = 32
REGISTER_UNIT = 256  # registers are handed to a warp in units of 256
RESERVED_SHARED = 1024  # bytes that the driver keeps of every program's shared memory


@dataclass(frozen=True)
class Occupancy:
    """Programs resident on one SM; ``limits`` has the count that each resource alone would allow."""

    programs_per_sm: int
    limits: dict[str, int]
    warps: int
    fraction: float

    @property
    def limited_by(self) -> str:
        """The resource that binds."""
        return min(self.limits, key=lambda name: self.limits[name])


def occupancy(gpu: GPU, registers: int, shared_bytes: int, num_warps: int) -> Occupancy:
    """Programs that fit on one SM of ``gpu``.

    Parameters
    ----------
    gpu
        From `lablib.gpu.specs`.
    registers
        Registers a thread.
    shared_bytes
        Shared memory a program, in bytes.
    num_warps
        Warps a program.

    Examples
    --------
    >>> from lablib.gpu.specs import gpu
    >>> occupancy(gpu("sm_90"), registers=128, shared_bytes=100_000, num_warps=8).programs_per_sm
    2
    """
    by_warp = -(-registers * WARP // REGISTER_UNIT) * REGISTER_UNIT
    limits = {
        "registers": gpu.registers_per_sm // (by_warp * num_warps) if registers else gpu.programs_per_sm,
        "shared memory": gpu.shared_per_sm // (shared_bytes + RESERVED_SHARED),
        "threads": gpu.threads_per_sm // (num_warps * WARP),
        "programs": gpu.programs_per_sm,
    }
    if shared_bytes > gpu.shared_per_program:
        limits["shared memory"] = 0
    programs = min(limits.values())
    return Occupancy(programs, limits, programs * num_warps, programs * num_warps * WARP / gpu.threads_per_sm)
