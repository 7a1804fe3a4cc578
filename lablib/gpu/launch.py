"""Record what a Python function launches: which Triton kernel, on which grid, with which arguments.

A launch is enough to run the kernel again elsewhere: in the interpreter, which counts its memory traffic
(`lablib.gpu.trace`), or through the compiler, which shows its machine code (`lablib.gpu.compile`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from lablib import device

import triton  # isort: skip  (after lablib.device, which sets TRITON_INTERPRET)
import triton.language as tl  # isort: skip

__all__ = ["Launch", "kernel_class", "launches_of", "recording", "storage_address", "tensor_of"]

OPTIONS = ("num_warps", "num_stages", "num_ctas", "maxnreg")  # others give the compiler files to read


@dataclass(frozen=True)
class Launch:
    """One launch of a Triton kernel.

    Attributes
    ----------
    kernel
        The ``@triton.jit`` function.
    grid
        Programs along x, y and z.
    arguments
        Every parameter of the kernel by name, tensors included.
    constexprs
        Names of the parameters annotated ``tl.constexpr``.
    options
        Compile options of the launch: whole numbers for some of `OPTIONS`.
    places
        Address of each tensor, by parameter: what tells two tensors of one shape apart.
    """

    kernel: Any
    grid: tuple[int, int, int]
    arguments: dict[str, Any]
    constexprs: frozenset[str]
    options: dict[str, Any] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The kernel's name."""
        return self.kernel.fn.__name__

    @property
    def programs(self) -> int:
        """Number of programs in the grid."""
        x, y, z = self.grid
        return x * y * z


def kernel_class() -> type:
    """The class that ``@triton.jit`` makes here: interpreted without a GPU, compiled with one."""
    if device.INTERPRETED:
        from triton.runtime.interpreter import InterpretedFunction

        return InterpretedFunction
    return triton.JITFunction


def describe_launch(kernel: Any, grid: Any, args: tuple, kwargs: dict[str, Any]) -> Launch:
    """Bind a call ``kernel[grid](*args, **kwargs)`` to the kernel's parameters.

    Raises
    ------
    TypeError
        The arguments are not those of the kernel, or an option is none of `OPTIONS`.
    """
    signature = inspect.signature(kernel.fn)
    parameters = {k: v for k, v in kwargs.items() if k in signature.parameters}
    options = {k: v for k, v in kwargs.items() if k not in signature.parameters and k != "warmup"}
    for name, value in options.items():
        if name not in OPTIONS or not isinstance(value, int | None):
            raise TypeError(
                f"The kernel {kernel.fn.__name__} is launched with {name}={value!r}; expected one of its parameters, "
                f"or a whole number for {', '.join(OPTIONS)}."
            )
    bound = signature.bind(*args, **parameters)
    bound.apply_defaults()
    arguments = {
        name: value.value if isinstance(value, tl.constexpr) else value for name, value in bound.arguments.items()
    }
    constexprs = frozenset(name for name, p in signature.parameters.items() if "constexpr" in str(p.annotation))
    sizes: Any = grid(arguments) if callable(grid) else grid
    x, y, z = (*sizes, 1, 1)[:3]
    tensors = {name: tensor_of(value) for name, value in arguments.items()}
    places = {name: tensor.data_ptr() for name, tensor in tensors.items() if tensor is not None}
    return Launch(kernel, (int(x), int(y), int(z)), arguments, constexprs, options, places)


def tensor_of(value: Any) -> torch.Tensor | None:
    """The tensor behind a kernel's argument: itself, or a tensor descriptor's base."""
    value = value.base if type(value).__name__ == "TensorDescriptor" else value
    return value if isinstance(value, torch.Tensor) else None


def storage_address(tensor: torch.Tensor) -> int:
    """Where the memory behind a tensor begins; views of one memory share it."""
    return tensor.untyped_storage().data_ptr()


@contextmanager
def recording(around: Callable[[Launch, Callable[[], Any]], Any] | None = None) -> Iterator[list[Launch]]:
    """Collect every Triton launch made inside the block.

    Parameters
    ----------
    around
        Called as ``around(launch, run)`` in place of the launch; ``run()`` performs it. By default the launch
        runs as it is.

    Yields
    ------
    list of Launch
        Filled in launch order.
    """
    cls = kernel_class()
    original = cls.run
    launches: list[Launch] = []

    def run(self: Any, *args: Any, grid: Any, warmup: bool = False, **kwargs: Any) -> Any:
        if warmup:
            return original(self, *args, grid=grid, warmup=warmup, **kwargs)
        launch = describe_launch(self, grid, args, kwargs)
        launches.append(launch)

        def perform() -> Any:
            return original(self, *args, grid=launch.grid, warmup=False, **kwargs)

        return around(launch, perform) if around else perform()

    cls.run = run
    try:
        yield launches
    finally:
        cls.run = original


def launches_of(function: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Launch]:
    """The launches that ``function(*args, **kwargs)`` would make, without running the kernels.

    The kernels do not run, so large shapes cost nothing: pass tensors on the ``meta`` device. A function that runs
    elsewhere brings a method ``__launches__`` that does the same there.
    """
    elsewhere = getattr(type(function), "__launches__", None)
    if elsewhere is not None:
        return elsewhere(function, args, kwargs)
    with recording(around=lambda launch, run: None) as launches:
        function(*args, **kwargs)
    return launches
