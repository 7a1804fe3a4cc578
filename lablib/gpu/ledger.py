"""What a model costs, operation by operation: arithmetic, parameters read, activations read and written.

    model(x) ──torch operations, below autograd──>  a row each: module, operation, FLOPs, bytes   ──sum──> layers, model

Counted are the operations that a model runs, each as a kernel of its own that reads its operands from memory and writes
its results back: what a compiler may save by fusing is not taken off. Views are free. FLOPs are those of matrix
products, convolutions and attention, as `torch.utils.flop_counter` has them (a multiplication and an addition are two),
but for two that it misses: a sparse factor costs 2 · nnz · d, and fused attention counts on the CPU too. All else
counts bytes alone.

Kernels of Triton are no torch operations and have no row: `lablib.gpu.trace` counts what they move. On the ``meta``
device nothing is computed, so that any batch can be asked about; sparse models need a real one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from lablib.gpu.cost import Cost
from lablib.gpu.operation import moved_bytes, product_flops, storage_nbytes, storage_of

__all__ = ["Ledger", "Row", "ledger", "table"]


@dataclass(frozen=True)
class Row:
    """One operation, or the sum of several.

    Attributes
    ----------
    module
        Path of the module that ran it, such as ``"blocks.0.mlp.2"``; empty for the model itself, ``"total"`` for a sum
        over all.
    operation
        Torch's name for it, such as ``"addmm"``; empty for a sum.
    backward
        Whether it is part of the backward pass; False for a sum over both.
    flops
        Floating-point operations of products.
    parameter_bytes
        Parameters and buffers that it reads.
    read_bytes, written_bytes
        All other tensors that it reads; all that it writes.
    """

    module: str
    operation: str
    backward: bool
    flops: int
    parameter_bytes: int
    read_bytes: int
    written_bytes: int

    @property
    def bytes(self) -> int:
        """All bytes that cross the memory interface."""
        return self.parameter_bytes + self.read_bytes + self.written_bytes

    @property
    def cost(self) -> Cost:
        """FLOPs and bytes together."""
        return Cost(self.flops, self.bytes)

    @property
    def intensity(self) -> float:
        """Arithmetic intensity, in FLOP a byte."""
        return self.flops / self.bytes if self.bytes else 0.0


@dataclass
class Ledger:
    """Rows in the order in which the operations ran.

    Attributes
    ----------
    rows
        One for each operation that is more than a view.
    saved
        Bytes of activations that each module keeps from the forward to the backward pass, by path; each piece of memory
        is counted once, where it is kept first. Empty without a backward pass.
    """

    rows: list[Row] = field(default_factory=list)
    saved: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> Row:
        """The whole model."""
        return _sum("total", self.rows)

    def by_module(self, depth: int | None = None) -> list[Row]:
        """Sums of each module, forward and backward apart, in the order in which modules first ran.

        Parameters
        ----------
        depth
            How many parts of a path are told apart: 1 sums what is inside the model's own children. None, all.
        """
        groups: dict[tuple[str, bool], list[Row]] = {}
        for row in self.rows:
            path = ".".join(row.module.split(".")[:depth])
            groups.setdefault((path, row.backward), []).append(row)
        return [_sum(path, rows) for (path, _), rows in groups.items()]

    def seconds(self, flops_per_s: float, bytes_per_s: float) -> float:
        """Roofline bound of the whole: each operation takes the longer of computing and moving, one after the other."""
        return sum(row.cost.seconds(flops_per_s, bytes_per_s) for row in self.rows)

    def __str__(self) -> str:
        passes = ([row for row in self.rows if row.backward == which] for which in (False, True))
        return table([*self.by_module(), *(_sum("total", rows) for rows in passes if rows)])


def ledger(model: nn.Module, *args: Any, backward: bool = False, **kwargs: Any) -> Ledger:
    """Run ``model(*args, **kwargs)`` once, and write down what it costs.

    Parameters
    ----------
    model
        In the mode, on the device and in the dtype that are asked about. As in any run, batch norms in training mode
        move their statistics.
    backward
        Whether to run the backward pass too, to the gradients of all parameters.

    Raises
    ------
    ValueError
        If there is no backward pass because no output depends on a parameter.

    Examples
    --------
    >>> layer = nn.Linear(3, 4, device="meta")
    >>> found = ledger(layer, torch.empty(2, 3, device="meta"))
    >>> [(row.operation, row.flops, row.parameter_bytes, row.read_bytes, row.written_bytes) for row in found.rows]
    [('addmm', 48, 64, 24, 32)]
    """
    counter = _Counter(model)
    keeping = torch.autograd.graph.saved_tensors_hooks(counter.save, lambda kept: kept) if backward else nullcontext()
    with torch.set_grad_enabled(backward), counter.following(model), keeping, counter:
        result = model(*args, **kwargs)
    if backward:
        outputs = [t for t in tree_leaves(result) if isinstance(t, Tensor) and t.requires_grad]
        parameters = [p for p in model.parameters() if p.requires_grad]
        if not outputs:
            raise ValueError(f"{type(model).__name__} returns nothing that depends on a parameter: no backward pass.")
        ones = [torch.ones_like(t) for t in outputs]
        with counter:
            torch.autograd.grad(outputs, parameters, ones, allow_unused=True)
    return counter.ledger


class _Counter(TorchDispatchMode):
    """Fills a ledger with the operations of a block."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.ledger = Ledger()
        self._path = [""]
        self._ran: list[str] = []  # the module of each forward operation,
        self._numbers: list[int] = []  # and autograd's count of nodes by then
        # Storages are known by address: these tensors outlive the counter, so that none is given out again.
        self._parameters = {storage_of(t) for t in (*model.parameters(), *model.buffers())}
        self._kept: set[int] = set()

    @contextmanager
    def following(self, model: nn.Module) -> Iterator[None]:
        """Know which module of the model runs."""
        with ExitStack() as stack:
            for path, module in model.named_modules():
                enter = module.register_forward_pre_hook(lambda *_, path=path: self._path.append(path))
                leave = module.register_forward_hook(lambda *_: (self._path.pop(), None)[1])
                stack.callback(enter.remove)
                stack.callback(leave.remove)
            yield

    def save(self, tensor: Tensor) -> Tensor:
        """Take note of a tensor that autograd keeps."""
        storage = storage_of(tensor)
        if storage not in self._parameters | self._kept:
            self._kept.add(storage)
            path = self._path[-1]
            self.ledger.saved[path] = self.ledger.saved.get(path, 0) + storage_nbytes(tensor)
        return tensor

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        packet = func._overloadpacket
        if packet not in flop_registry and func is not torch.ops.prim.device.default:
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        node = torch._C._current_autograd_node()
        if node is None:
            self._ran.append(self._path[-1])
            self._numbers.append(torch._C._autograd._get_sequence_nr())  # pyright: ignore[reportAttributeAccessIssue]
        moved = moved_bytes(func, args, kwargs, result, self._parameters)
        if moved.written:
            flops = product_flops(func, args, kwargs, result)
            name, path = packet.__name__, self._module_of(node)
            self.ledger.rows.append(Row(path, name, node is not None, flops, *moved))
        return result

    def _module_of(self, node: Any) -> str:
        """The module that runs, or in the backward pass the one whose forward pass made the node."""
        if node is None:
            return self._path[-1]
        # Autograd numbers nodes as it makes them, just before their operation runs.
        place = bisect_right(self._numbers, node._sequence_nr())
        return self._ran[place] if place < len(self._ran) else ""


def table(rows: Sequence[Row]) -> str:
    """Rows as text, numbers in full, one line each.

    Examples
    --------
    >>> print(table([Row("head", "addmm", False, 48, 64, 24, 32)]))
    module  operation  pass     FLOPs  parameter bytes  bytes read  bytes written  FLOP/byte
    head    addmm      forward     48               64          24             32        0.4
    """
    titles = ("module", "operation", "pass", "FLOPs", "parameter bytes", "bytes read", "bytes written", "FLOP/byte")
    lines = [titles, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    justify = [str.ljust] * 3 + [str.rjust] * 5
    return "\n".join("  ".join(j(c, w) for j, c, w in zip(justify, line, widths, strict=True)) for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    numbers = (row.flops, row.parameter_bytes, row.read_bytes, row.written_bytes)
    which = "backward" if row.backward else "forward"
    return (row.module or "(model)", row.operation, which, *(f"{n:,}" for n in numbers), f"{row.intensity:.1f}")


def _sum(path: str, rows: Sequence[Row]) -> Row:
    columns = ("flops", "parameter_bytes", "read_bytes", "written_bytes")
    backward = bool(rows) and all(row.backward for row in rows)
    return Row(path, "", backward, *(sum(getattr(row, column) for row in rows) for column in columns))
