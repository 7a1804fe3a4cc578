"""Assert what the programs of a Triton kernel load and store, to the byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lablib.check.observe import Observation, observe
from lablib.gpu.traffic import Trace

__all__ = ["Bytes", "traffic"]

Bytes = int | tuple[int, int]
"""An exact number of bytes, or the least and the most allowed."""


def traffic(
    function: Callable[..., Any],
    *args: Any,
    loads: Bytes | None = None,
    stores: Bytes | None = None,
    atomics: Bytes = 0,
    launches: int | None = None,
    programs: int | None = None,
    **kwargs: Any,
) -> Any:
    """Run ``function(*args, **kwargs)``, assert its traffic, and return its result.

    Traffic counts only if the kernels do the work. So the call must launch a kernel, do no torch arithmetic, stay
    inside its buffers, leave its arguments as they were, and return what a kernel wrote.

    Parameters
    ----------
    function
        Launches Triton kernels.
    loads, stores, atomics
        Bytes that all its programs together move: exact, or a pair (least, most). None means any.
    launches
        Kernels launched.
    programs
        Programs of all launches together.

    Returns
    -------
    Any
        The function's result, for `close`.

    Raises
    ------
    AssertionError
        Naming the first promise that does not hold, the buffer and the line.

    Examples
    --------
    >>> from lablib.check import rng
    >>> from lablib.kernels.softmax import softmax
    >>> x = rng.normal(4, 6)
    >>> y = traffic(softmax, x, loads=x.nbytes, stores=x.nbytes, launches=1, programs=4)
    """
    name = getattr(function, "__name__", "the function")
    seen = observe(function, *args, **kwargs)
    _assert_kernels_did_it(name, seen)
    trace = seen.trace
    for what, bounds in (("load", loads), ("store", stores), ("atomic", atomics)):
        _assert_bytes(name, trace, what, bounds)
    if launches is not None and len(trace.launches) != launches:
        raise AssertionError(f"{name} launched {len(trace.launches)} kernels ({trace.kernel}), expected {launches}.")
    count = sum(launch.programs for launch in trace.launches)
    if programs is not None and count != programs:
        raise AssertionError(f"{name} launched {count} programs, expected {programs}: look at the grid.")
    return seen.value


def _assert_kernels_did_it(name: str, seen: Observation) -> None:
    if not seen.launches:
        raise AssertionError(f"{name} launched no Triton kernel. Launch it with `kernel[grid](...)`.")
    if seen.trace.faults:
        raise AssertionError(f"{name}: {seen.trace.faults[0]}")
    if seen.torch_ops:
        raise AssertionError(
            f"{name} calls torch for work ({', '.join(dict.fromkeys(seen.torch_ops))}): each call is one more trip to "
            "memory. Do it in the kernel; torch may only allocate and view."
        )
    if seen.changed_inputs:
        raise AssertionError(
            f"{name} modified its argument {seen.changed_inputs[0]}; the result needs memory of its own."
        )
    if seen.unearned:
        raise AssertionError(f"{name}: {seen.unearned[0]}.")


def _assert_bytes(name: str, trace: Trace, what: str, bounds: Bytes | None) -> None:
    if bounds is None:
        return
    least, most = (bounds, bounds) if isinstance(bounds, int) else bounds
    got = trace.moved(what)
    if least <= got <= most:
        return
    expected = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    verb = {"load": "loaded", "store": "stored", "atomic": "atomically updated"}[what]
    raise AssertionError(f"{name} {verb} {got:,} bytes, expected {expected}.{_explain(trace, what, got > most)}")


def _explain(trace: Trace, what: str, too_many: bool) -> str:
    """Say by buffer how often its elements moved, and from which lines."""
    parts = []
    for buffer in trace.buffers.values():
        moved = trace.moved(what, buffer.name)
        if moved == 0 and too_many:
            continue
        lines = sorted({a.line for a in trace.accesses if a.op == what and a.buffer == buffer.name and a.line})
        where = f" on line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))} of the kernel" if lines else ""
        if moved:
            parts.append(f" {buffer.name}: {moved:,} bytes, {moved / max(buffer.nbytes, 1):.2f} × its size{where}.")
    return "".join(parts) or f" No kernel {what}s anything."
