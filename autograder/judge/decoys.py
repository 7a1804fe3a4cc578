"""Arguments for a call that is recorded: the test's own in all but their numbers.

A log is to say how a result comes about, whatever the numbers. Made on the test's own arguments it could hold the
result itself: in a constant, in a scalar that a launch is given, in memory from outside. So it is made on decoys, of
which the result is of no use, and the clean process runs it on the test's own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_map

_SMALL_INTEGERS = (torch.int8, torch.uint8, torch.int16)


class Decoys:
    """Makes decoys; whoever does not know the seed cannot tell what they stand for.

    Parameters
    ----------
    seed
        A secret.
    """

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def of(self, tree: Any) -> Any:
        """The tree with other numbers in the memory of its tensors, and their shapes, strides and overlaps.

        Floating-point numbers change their places and shrink by up to a half, so that a sign, a zero, an infinity and
        a range remain. Small integers are drawn anew from their range. Those of 32 and 64 bits and booleans stay: they
        may be positions, lengths and masks, on which the work rightly depends.
        """
        memory: dict[int, torch.UntypedStorage] = {}
        return tree_map(lambda leaf: self._decoy(leaf, memory) if _holds_data(leaf) else leaf, tree)

    def _decoy(self, tensor: torch.Tensor, memory: dict[int, torch.UntypedStorage]) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in memory:
            count = storage.nbytes() // tensor.element_size()
            numbers = tensor.detach().as_strided((count,), (1,), 0).cpu()
            memory[storage._cdata] = self._others(numbers).to(tensor.device).untyped_storage()
        place = (tensor.storage_offset(), tensor.size(), tensor.stride())
        decoy = torch.empty(0, dtype=tensor.dtype, device=tensor.device).set_(memory[storage._cdata], *place)
        decoy.requires_grad_(tensor.requires_grad).grad = tensor.grad
        return decoy

    def _others(self, numbers: torch.Tensor) -> torch.Tensor:
        if numbers.numel() == 0:
            return numbers.clone()
        if numbers.dtype in _SMALL_INTEGERS:
            low, high = int(numbers.min()), int(numbers.max())
            return torch.randint(low, high + 1, numbers.shape, generator=self._generator).to(numbers.dtype)
        order = torch.randperm(len(numbers), generator=self._generator)
        factor = 0.5 + torch.rand(len(numbers), generator=self._generator, dtype=torch.float64) / 2
        wide = torch.complex128 if numbers.is_complex() else torch.float64
        return (numbers.to(wide)[order] * factor).to(numbers.dtype)


def _holds_data(leaf: Any) -> bool:
    if not isinstance(leaf, torch.Tensor) or leaf.device.type == "meta":
        return False
    return leaf.dtype in _SMALL_INTEGERS or leaf.dtype.is_floating_point or leaf.dtype.is_complex
