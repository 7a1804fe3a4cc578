"""What one torch operation costs: its products, and the bytes of the tensors that it reads and writes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Set
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

__all__ = [
    "Moved", "distinct_nbytes", "is_strided", "moved_bytes", "place_of", "product_flops", "storage_nbytes",
    "storage_of",
]  # fmt: skip

UNWRITTEN = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}
UNREAD = {"copy_", "fill_", "zero_"}  # what they change they do not read
GATHERS = {"embedding", "gather", "index", "index_select"}  # they read the rows that they return, not the whole table
SPARSE_PRODUCTS = {"mm", "addmm", "_sparse_mm", "_sparse_addmm"}
# Fused attention as the CPU runs it, which torch's counter does not know: formula, and operands that it asks about.
ATTENTION = {
    "_scaled_dot_product_flash_attention_for_cpu": (sdpa_flop_count, 3),
    "_scaled_dot_product_flash_attention_for_cpu_backward": (sdpa_backward_flop_count, 4),
}


class Moved(NamedTuple):
    """Bytes that an operation moves: parameters it reads, other tensors it reads, what it writes."""

    parameters: int
    read: int
    written: int


def product_flops(func: Any, args: tuple, kwargs: dict[str, Any], result: Any) -> int:
    """FLOPs of a product, convolution or attention, as torch counts them; 2 · nnz · d where a factor is sparse.

    Other operations do none.
    """
    packet = func._overloadpacket
    if packet.__name__ in ATTENTION:
        formula, count = ATTENTION[packet.__name__]
        return formula(*(operand.shape for operand in args[:count]))
    if packet not in flop_registry and packet.__name__ not in SPARSE_PRODUCTS:
        return 0
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
    sparse = [t for t in tensors if not is_strided(t)]
    if not sparse and packet in flop_registry:
        return int(flop_registry[packet](*args, **kwargs, out_val=result))
    if not sparse:  # torch.sparse.mm takes two dense factors, too
        return 2 * tensors[-2].numel() * tensors[-1].shape[1]
    if packet.__name__ not in SPARSE_PRODUCTS or not is_strided(result):
        raise NotImplementedError(f"{func} of sparse tensors is not counted: use torch.sparse.mm of sparse and dense.")
    # Each entry of the sparse factor is multiplied with one number of each column, or row, of the dense one.
    left = tensors[-2]
    return 2 * sparse[0]._nnz() * result.shape[0 if is_strided(left) else 1]


def moved_bytes(func: Any, args: tuple, kwargs: dict[str, Any], result: Any, parameters: Set[int]) -> Moved:
    """Bytes read and written by an operation whose operands come from memory, each once; none for a view.

    Parameters
    ----------
    parameters
        Storages, as `storage_of` names them, whose tensors count as parameters.
    """
    name = func._overloadpacket.__name__
    given, changed = _arguments(func, args, kwargs)
    inputs = {part.untyped_storage()._cdata for t in given for part in _parts(t)}
    made = [t for t in tree_leaves(result) if isinstance(t, Tensor)]
    fresh = [t for t in made if storage_of(t) not in inputs]
    written = sum(map(distinct_nbytes, changed)) + (0 if name in UNWRITTEN else sum(map(distinct_nbytes, fresh)))
    if not written:
        return Moved(0, 0, 0)
    read = {True: 0, False: 0}
    for place, tensor in enumerate(given):
        if name in UNREAD and any(tensor is one for one in changed):
            continue
        size = distinct_nbytes(tensor)
        if name in GATHERS and place == 0:
            size = min(size, sum(map(distinct_nbytes, fresh)))
        read[storage_of(tensor) in parameters] += size
    return Moved(read[True], read[False], written)


def _arguments(func: Any, args: tuple, kwargs: dict[str, Any]) -> tuple[list[Tensor], list[Tensor]]:
    """The tensors that an operation is given, each once, and those among them that it changes."""
    names = [argument.name for argument in func._schema.arguments]
    values = {**dict(zip(names, args, strict=False)), **kwargs}
    written = {a.name for a in func._schema.arguments if a.alias_info is not None and a.alias_info.is_write}
    changed = _tensors(value for name, value in values.items() if name in written)
    given: dict[Any, Tensor] = {}
    for tensor in _tensors(values.values()):
        given.setdefault(place_of(tensor) if is_strided(tensor) else id(tensor), tensor)
    return list(given.values()), changed


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    return [t for t in tree_leaves(list(values)) if isinstance(t, Tensor)]


def is_strided(tensor: Tensor) -> bool:
    """Whether a tensor is dense: numbers in one piece of memory."""
    return tensor.layout == torch.strided


def storage_of(tensor: Tensor) -> int:
    """The memory of a tensor's numbers, as a number that no other piece of memory has while this one lives."""
    return _parts(tensor)[0].untyped_storage()._cdata


def place_of(tensor: Tensor) -> tuple[Any, ...]:
    """Which numbers a dense tensor shows, and in which order: two views of the same numbers have the same place."""
    return storage_of(tensor), tensor.storage_offset(), tensor.shape, tensor.stride()


def storage_nbytes(tensor: Tensor) -> int:
    """Bytes of the memory behind a tensor, the part that it does not show included."""
    return sum(part.untyped_storage().nbytes() for part in _parts(tensor))


def _parts(tensor: Tensor) -> tuple[Tensor, ...]:
    """The dense tensors that a tensor consists of: its numbers, and where they are if it is sparse."""
    if tensor.layout == torch.strided:
        return (tensor,)
    if tensor.layout == torch.sparse_coo:
        return tensor._values(), tensor._indices()
    if tensor.layout == torch.sparse_csr:
        return tensor.values(), tensor.crow_indices(), tensor.col_indices()
    if tensor.layout == torch.sparse_csc:
        return tensor.values(), tensor.ccol_indices(), tensor.row_indices()
    raise NotImplementedError(f"The bytes of a tensor of layout {tensor.layout} are not counted: use CSR, CSC or COO.")


def distinct_nbytes(tensor: Tensor) -> int:
    """Bytes of the different numbers of a tensor: an expanded axis repeats those that are there."""
    return sum(map(_dense_nbytes, _parts(tensor)))


def _dense_nbytes(tensor: Tensor) -> int:
    sizes = (size if stride else min(size, 1) for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    # Windows that overlap, as those of unfold, read no more than what is there.
    return min(math.prod(sizes) * tensor.element_size(), tensor.untyped_storage().nbytes())
