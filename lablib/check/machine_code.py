"""Assert what the compiler made of a kernel: no spills, shared memory that fits, the instruction that was meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lablib.gpu.compile import Compiled, compile_stages
from lablib.gpu.occupancy import occupancy
from lablib.gpu.specs import gpu

__all__ = ["machine_code"]


def machine_code(
    function: Callable[..., Any],
    *args: Any,
    target: str = "sm_90",
    instructions: Sequence[str] = (),
    kernel: str | None = None,
    **kwargs: Any,
) -> Compiled:
    """Compile what ``function(*args, **kwargs)`` launches, and assert that it can run at full speed.

    Parameters
    ----------
    function
        Launches a Triton kernel; it does not run. Pass tensors on the ``meta`` device.
    target
        ``"sm_80"``, ``"sm_90"`` or ``"sm_100"``.
    instructions
        Opcodes that the SASS must contain, e.g. ``["HGMMA"]``.
    kernel
        Which kernel, where the function launches several.

    Returns
    -------
    Compiled
        For further questions.

    Raises
    ------
    AssertionError
        If registers spill, shared memory does not fit, or an instruction is missing.
    """
    compiled = compile_stages(function, *args, targets=[target], kernel=kernel, **kwargs)[0]
    limits = gpu(target)
    where = f"{compiled.kernel} for {target} ({limits.name})"
    if compiled.shared_bytes > limits.shared_per_program:
        raise AssertionError(
            f"{where} needs {compiled.shared_bytes:,} bytes of shared memory; a program may have "
            f"{limits.shared_per_program:,}. Smaller tiles or fewer stages need less."
        )
    if compiled.spill_bytes:
        raise AssertionError(
            f"{where} spills {compiled.spill_bytes} bytes a thread to local memory: {compiled.registers} registers a "
            "thread do not hold the accumulator. A smaller tile or more warps give each thread less to hold."
        )
    fits = occupancy(limits, compiled.registers, compiled.shared_bytes, compiled.num_warps)
    if fits.programs_per_sm == 0:
        raise AssertionError(f"{where} does not fit on an SM: {fits.limited_by} allow no program.")
    missing = [name for name in instructions if not compiled.instructions[name]]
    if missing:
        matrix = {k: v for k, v in compiled.instructions.items() if "MMA" in k}
        raise AssertionError(f"{where} has no {', '.join(missing)} in its SASS; its matrix instructions are {matrix}.")
    return compiled
