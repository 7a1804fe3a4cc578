"""What a contract says of arguments beyond their values."""

from __future__ import annotations

import torch
from torch.utils.weak import WeakIdKeyDictionary

__all__ = ["inout", "is_inout"]

_marked = WeakIdKeyDictionary()


def inout(tensor: torch.Tensor) -> torch.Tensor:
    """Say that the function may modify this argument, because its contract asks for it; returns ``tensor``.

    Examples
    --------
    >>> x = torch.zeros(2)
    >>> inout(x).add_(1)
    tensor([1., 1.])
    """
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"check.inout marks a tensor that is modified in place; this is a {type(tensor).__name__}")
    _marked[tensor] = True
    return tensor


def is_inout(tensor: torch.Tensor) -> bool:
    """Whether `inout` marked this tensor."""
    return tensor in _marked
