"""Count what a kernel moves: every load, store, atomic and dot of every program, seen in the interpreter.

The interpreter runs a kernel with numpy, one program after the other. The tracer stands between the kernel and
memory, and writes down each access: which program, which buffer, which elements, from which line. Counting it is
exact and needs no GPU. What is counted is what programs ask for: an upper bound of the traffic between an SM and the
L2 cache, since the SM's L1 may serve a part again. `lablib.gpu.cache` models what the L2 asks of memory.

Accesses outside a buffer are not performed: they are recorded as faults. A masked load without ``other=`` yields NaN in
the lanes that are switched off, because on a GPU those lanes hold whatever the register held before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lablib import device
from lablib.gpu import errors
from lablib.gpu.launch import Launch, recording
from lablib.gpu.tracer import Tracer
from lablib.gpu.traffic import Trace

__all__ = ["trace", "tracing"]


def trace(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Trace:
    """Run ``function(*args, **kwargs)`` and return what its Triton kernels moved.

    On a GPU the kernels run compiled, and are counted afterwards in an interpreter of their own.

    Examples
    --------
    >>> import torch
    >>> from lablib.kernels.softmax import softmax
    >>> trace(softmax, torch.randn(4, 6, device=device.DEVICE)).loaded_bytes
    96
    """
    elsewhere = getattr(type(function), "__observe__", None)
    if elsewhere is not None:  # it runs elsewhere, and is watched there
        return elsewhere(function, args, kwargs).trace
    with tracing() as result:
        errors.call(function, args, kwargs)
    return result


class tracing:
    """Context manager form of `trace`: ``with tracing() as t: ...`` fills ``t`` when the block ends."""

    def __enter__(self) -> Trace:
        self._trace = Trace()
        self._frozen: list[bytes] = []
        self._recording = recording(self._replay_later if not device.INTERPRETED else self._run_traced)
        self._recording.__enter__()
        return self._trace

    def __exit__(self, *exc_info: Any) -> None:
        self._recording.__exit__(*exc_info)
        if self._frozen and exc_info[0] is None:
            from lablib.gpu.replay import replay

            replay(self._frozen, self._trace)

    def _run_traced(self, launch: Launch, run: Callable[[], Any]) -> Any:
        self._trace.launches.append(launch)
        with Tracer(self._trace, launch):
            return run()

    def _replay_later(self, launch: Launch, run: Callable[[], Any]) -> Any:
        from lablib.gpu.replay import freeze

        self._trace.launches.append(launch)
        self._frozen.append(freeze(launch))
        return run()
