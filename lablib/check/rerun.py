"""Run a log again as a function of its inputs.

`observe(Rerun(log), *inputs)` tells of a call that happened elsewhere what `observe` would have told there. The log may
come from someone who wants to mislead: its kernels must be kernels, its operations torch's own, and memory that it
claims from outside is data, which `Observation.unearned` does not accept as a kernel's work.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

from lablib import device
from lablib.check.log import Log, Operation, Run, View
from lablib.check.recorder import VIEWS
from lablib.gpu.modules import load_kernel
from lablib.gpu.vocabulary import complaints, kernel_definitions

__all__ = ["LogError", "Rerun"]

_NEVER = VIEWS | {
    "from_file", "resize_", "resize_as_", "record_stream", "_resize_output_", "set_data", "_index_put_impl_",
}  # fmt: skip
"""Views, of which no log needs a record and some do not look where they lead, and what reaches beyond its arguments."""


class LogError(ValueError):
    """A log cannot be run again; the message says why."""


class Rerun:
    """A log as a function.

    Parameters
    ----------
    log
        Of a call with the same inputs; the order of their memory is that of ``tree_leaves``.

    Raises
    ------
    LogError
        When called: an operation or a kernel is not allowed, or views leave their memory.
    """

    __name__ = "the function"

    def __init__(self, log: Log) -> None:
        self.log = log

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._storages: dict[int, torch.UntypedStorage] = {}
        self._take(tensor for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, torch.Tensor))
        for event in self.log.events:
            if isinstance(event, Operation):
                self._operate(event)
            else:
                self._launch(event)
        return self._tensors(self.log.value)

    def _take(self, tensors: Any) -> None:
        distinct: dict[int, torch.UntypedStorage] = {}
        for tensor in tensors:
            distinct.setdefault(tensor.untyped_storage()._cdata, tensor.untyped_storage())
        arguments = [number for number, storage in enumerate(self.log.storages) if storage.origin == "argument"]
        if len(arguments) != len(distinct):
            raise LogError(f"the log is of a call with {len(arguments)} pieces of memory, not {len(distinct)}")
        self._storages.update(zip(arguments, distinct.values(), strict=True))

    def _operate(self, event: Operation) -> None:
        result = _operation(event.name)(*self._tensors(event.args), **self._tensors(event.kwargs))
        made, claimed = tree_leaves(result), tree_leaves(event.result)
        if len(made) != len(claimed):
            raise LogError(f"{event.name} does not give what the log says")
        for tensor, view in zip(made, claimed, strict=True):
            if isinstance(tensor, torch.Tensor) and isinstance(view, View):
                self._storages.setdefault(view.storage, tensor.untyped_storage())

    def _launch(self, event: Run) -> None:
        foreign = complaints(event.source)
        if foreign:
            raise LogError(
                f"its kernel {event.kernel} uses {', '.join(foreign)}, which no GPU has: use triton.language"
            )
        if event.kernel not in kernel_definitions(event.source).values():
            raise LogError(f"{str(event.kernel)[:40]} is no kernel")
        kernel = load_kernel(event.source, event.kernel)
        kernel[event.grid](**self._tensors(event.arguments), **event.options)

    def _tensors(self, tree: Any) -> Any:
        with _disable_current_modes():
            return tree_map(self._tensor, _described(tree, self._tensor))

    def _tensor(self, value: Any) -> Any:
        if isinstance(value, torch.device):
            return torch.device(device.DEVICE)
        if not isinstance(value, View):
            return value
        if not 0 <= value.storage < len(self.log.storages):
            raise LogError("a tensor of the log lies in memory that the log does not have")
        if value.storage not in self._storages:
            self._storages[value.storage] = self._from_outside(value.storage)
        storage = self._storages[value.storage]
        steps = [(size - 1) * stride for size, stride in zip(value.shape, value.strides, strict=True)]
        last = value.offset + sum(steps) if all(value.shape) else 0
        if min((*value.shape, *value.strides, value.offset), default=0) < 0:
            raise LogError("a tensor of the log has a negative size or stride")
        if all(value.shape) and (last + 1) * value.dtype.itemsize > storage.nbytes():
            raise LogError("a tensor of the log reaches beyond its memory")
        tensor = torch.empty(0, dtype=value.dtype, device=storage.device)
        return tensor.set_(storage, value.offset, value.shape, value.strides)

    def _from_outside(self, number: int) -> torch.UntypedStorage:
        claimed = self.log.storages[number]
        if claimed.origin != "outside" or claimed.content is None:
            raise LogError("a tensor of the log is used before an operation makes it")
        return claimed.content.to(device.DEVICE).clone().untyped_storage()


def _operation(name: str) -> Any:
    """The torch operation that is called ``aten.<name>.<overload>``."""
    parts = name.split(".")
    unsafe = len(parts) == 3 and "unsafe" in parts[1] and parts[1] != "_unsafe_index"
    if len(parts) != 3 or parts[0] != "aten" or parts[1] in _NEVER or unsafe:
        raise LogError(f"{name} cannot be run again: expected an operation of torch's own (aten)")
    packet = getattr(torch.ops.aten, parts[1], None)
    if not isinstance(packet, torch._ops.OpOverloadPacket) or parts[2] not in packet.overloads():
        raise LogError(f"there is no torch operation {name}")
    operation = getattr(packet, parts[2])
    if not torch._C._dispatch_has_kernel(operation.name()):  # TorchScript's own, on lists, text and files
        raise LogError(f"{name} cannot be run again: it is no operation on tensors")
    return operation


def _described(tree: Any, tensor: Any) -> Any:
    """Tensor descriptors made again, in the arguments of a launch."""
    if not isinstance(tree, dict):
        return tree
    return {
        name: _descriptor(v, tensor) if isinstance(v, dict) and "descriptor" in v else v for name, v in tree.items()
    }


def _descriptor(plain: dict[str, Any], tensor: Any) -> Any:
    from triton.tools.tensor_descriptor import TensorDescriptor

    sizes: dict[str, Any] = {name: list(plain[name]) for name in ("shape", "strides", "block_shape")}
    return TensorDescriptor(tensor(plain["descriptor"]), **sizes, padding=plain["padding"])
