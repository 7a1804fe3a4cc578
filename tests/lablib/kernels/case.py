"""What the suite has to know of a kernel to test it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from lablib.check.random import Rng
from lablib.gpu.cost import Cost

FLOATS = (torch.float16, torch.float32)
"""What the interpreter computes rightly; on a GPU every case runs in bfloat16 too."""


@dataclass(frozen=True)
class Case:
    """A kernel with one kind of arguments.

    Attributes
    ----------
    name : str
        The kernel and what is special here: ``"softmax of a slice"``.
    kernel, reference : callable
        The launcher and its plain torch reference, called with the same arguments.
    arguments : callable
        ``arguments(rng, dtype)`` draws them; small ones, for the interpreter is slow.
    keywords : dict
        Keyword arguments of both calls.
    options : dict
        Keyword arguments of the kernel alone, such as block sizes.
    usual : callable, optional
        torch's own operation, whose error in the dtype at hand bounds the kernel's. The reference unless given.
    dtypes : tuple of torch.dtype
        Dtypes to draw in; bfloat16 is added on a GPU if float16 is among them.
    gradients : tuple of int
        Arguments with a gradient.
    cost : callable, optional
        Takes the arguments of the kernel. The least traffic, where the kernel claims that nothing is loaded or stored
        twice: the tracer's count of bytes must equal it.
    sectors : bool
        That every 32-byte sector which is moved is used whole.
    deterministic : bool
        That two calls give the same bits.
    changed : tuple of int
        Arguments that the kernel is meant to change.
    ulps : float
        Units in the last place that the result may be off whatever torch's own loses; above 2 with a reason beside it.
    """

    name: str
    kernel: Callable[..., Any]
    reference: Callable[..., Any]
    arguments: Callable[[Rng, torch.dtype], tuple]
    keywords: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    usual: Callable[..., Any] | None = None
    dtypes: tuple[torch.dtype, ...] = FLOATS
    gradients: tuple[int, ...] = ()
    cost: Callable[..., Cost] | None = None
    sectors: bool = False
    deterministic: bool = True
    changed: tuple[int, ...] = ()
    ulps: float = 2.0

    def run(self, args: tuple) -> Any:
        """The kernel's result."""
        return self.kernel(*args, **self.keywords, **self.options)


@dataclass(frozen=True)
class Refused:
    """Arguments that a kernel refuses, and a pattern that its sentence matches."""

    kernel: Callable[..., Any]
    arguments: Callable[[], tuple]
    message: str
    keywords: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Build:
    """A launch to compile for GPUs that are not there.

    Attributes
    ----------
    launch : callable
        Called without arguments, on ``meta`` tensors of the shapes that the kernel was tuned for.
    kernel : str
        The kernel's name.
    instructions : dict
        By target, the matrix instruction that must be there: ``{"sm_90": "HGMMA"}``.
    targets : tuple of str
        GPUs to compile for.
    """

    name: str
    launch: Callable[[], Any]
    kernel: str
    instructions: dict[str, str] = field(default_factory=dict)
    targets: tuple[str, ...] = ("sm_80", "sm_90", "sm_100")
