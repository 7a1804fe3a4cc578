"""Write down every torch operation and kernel launch of a block."""

from __future__ import annotations

from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.flop_counter import flop_registry

from lablib.check.log import Log, Operation, Run, Storage, View
from lablib.gpu.launch import Launch, storage_address
from lablib.gpu.source import kernel_module

__all__ = ["ALLOCATIONS", "FILLED", "VIEWS", "Recorder"]

VIEWS = {
    "view", "reshape", "as_strided", "detach", "alias", "t", "transpose", "permute", "expand", "slice", "select",
    "squeeze", "unsqueeze", "_unsafe_view", "lift_fresh", "set_", "_reshape_alias", "unbind", "narrow", "split",
    "split_with_sizes", "diagonal", "unfold", "view_as_real", "view_as_complex", "_conj", "_neg_view", "real", "imag",
    "chunk", "movedim", "swapaxes",
}  # fmt: skip
ALLOCATIONS = {"empty", "empty_strided", "empty_like", "new_empty", "new_empty_strided"}
FILLED = {"zeros", "zeros_like", "new_zeros", "zero_", "full", "full_like", "new_full"}


class Recorder(TorchDispatchMode):
    """Fills ``log`` while it is active, and poisons fresh memory.

    Memory is known by its storage, so views need no record of their own. While ``paused``, what torch does is not the
    caller's: Triton's interpreter uses torch itself.

    Parameters
    ----------
    arguments
        Tensors that the call is given, in order: their memory gets the first numbers.
    """

    def __init__(self, arguments: list[torch.Tensor]) -> None:
        super().__init__()
        self.log = Log()
        self.paused = False
        self.filled: set[int] = set()  # storages that torch filled with one number: a kernel may load them
        self._known: dict[int, tuple[int, StorageWeakRef]] = {}  # a weak reference keeps the key from being reused
        for tensor in arguments:
            if self._find(tensor) is None:
                self._add(tensor, "argument")

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if self.paused or func.overloadpacket.__name__ in VIEWS or func.namespace == "profiler":
            return func(*args, **kwargs)
        given, named = self.views((args, kwargs))
        result = func(*args, **kwargs)
        with _disable_current_modes():
            if func.overloadpacket.__name__ in ALLOCATIONS:
                poison(result)
            elif func.overloadpacket.__name__ in FILLED and _is_all_of_its_memory(result):
                self.filled.add(storage_address(result))
            made = tree_map(self._made, result)
        counted = flop_registry.get(func.overloadpacket)
        flops = int(counted(*args, **kwargs, out_val=result)) if counted else 0
        self.log.events.append(Operation(str(func), given, named, made, flops))
        return result

    def launched(self, launch: Launch) -> None:
        """Record a launch, as its arguments are before it."""
        with _disable_current_modes():
            text, _ = kernel_module(launch.kernel)
            arguments = self.views(launch.arguments)
        self.log.events.append(Run(text, launch.name, launch.grid, arguments, dict(launch.options)))

    def views(self, tree: Any) -> Any:
        """The tree with views for its tensors."""
        with _disable_current_modes():
            return tree_map(self._view, tree)

    def _view(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            number = self._find(value)
            return _view_of(self._add(value, "outside") if number is None else number, value)
        if type(value).__name__ == "TensorDescriptor":
            sizes = {name: list(getattr(value, name)) for name in ("shape", "strides", "block_shape")}
            return {"descriptor": self._view(value.base), **sizes, "padding": value.padding}
        return value

    def _made(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        number = self._find(value)
        return _view_of(self._add(value, "torch") if number is None else number, value)

    def _find(self, tensor: torch.Tensor) -> int | None:
        known = self._known.get(tensor.untyped_storage()._cdata)
        return None if known is None else known[0]

    def _add(self, tensor: torch.Tensor, origin: str) -> int:
        storage = tensor.untyped_storage()
        number = len(self.log.storages)
        content = bytes_of(tensor) if origin == "outside" else None
        self._known[storage._cdata] = (number, StorageWeakRef(storage))
        self.log.storages.append(Storage(storage.nbytes(), origin, content))
        return number


def _view_of(number: int, tensor: torch.Tensor) -> View:
    if tensor.is_conj() or tensor.is_neg():
        raise TypeError("a conjugated view cannot be recorded: use .resolve_conj() first")
    return View(number, tensor.dtype, tuple(tensor.shape), tensor.stride(), int(tensor.storage_offset()))


def _is_all_of_its_memory(tensor: torch.Tensor) -> bool:
    """Whether a tensor leaves nothing of its storage out."""
    return tensor.is_contiguous() and tensor.numel() * tensor.element_size() == tensor.untyped_storage().nbytes()


def bytes_of(tensor: torch.Tensor) -> torch.Tensor | None:
    """A copy of the memory behind a tensor, uint8 on the CPU; None where there is none (``meta``)."""
    if tensor.device.type == "meta":
        return None
    storage = tensor.untyped_storage()
    return torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(storage).cpu().clone()


def poison(tree: Any) -> None:
    """Fill fresh tensors with NaN, or the largest integer, so that an element which nothing writes is seen."""
    for tensor in tree_leaves(tree):
        if not isinstance(tensor, torch.Tensor) or tensor.device.type == "meta":
            continue
        if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
            tensor.fill_(float("nan"))
        elif tensor.dtype != torch.bool:
            tensor.fill_(torch.iinfo(tensor.dtype).max)
