"""How much two logs of one call differ that were made on different numbers.

What a call computes depends on its arguments, how it does so hardly does: a scale that it reads out of a tensor may
differ. A result that stands in a log, as constants or in memory from outside, is many numbers that differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import torch
from torch.utils._pytree import tree_flatten

from lablib.check.log import Log, Operation, views

FEW = 8
_BITS = 64  # that count as one number


def agree(one: Log, other: Log) -> bool:
    """Whether two logs say the same up to `FEW` numbers."""
    return differing_numbers(one, other) <= FEW


def differing_numbers(one: Log, other: Log) -> float:
    """In how many numbers two logs differ; infinitely many when they differ in anything else."""
    pairs = zip_longest(_parts(one), _parts(other))
    return sum(_difference(left, right) for left, right in pairs)


def _parts(log: Log) -> Iterator[Any]:
    """Everything that a log says, flat: the form of each of its parts, and then its leaves."""
    for part in (*log.storages, *log.events):
        yield type(part)
        if isinstance(part, Operation):  # a number that it gives is its own work, and used where it stands again
            part = replace(part, result=list(views(part.result)))
        for field in vars(part).values():
            yield from _leaves(field)
    yield from _leaves(log.value)


def _leaves(tree: Any) -> Iterator[Any]:
    leaves, form = tree_flatten(tree)
    yield form
    yield from leaves


def _difference(left: Any, right: Any) -> float:
    if type(left) is not type(right):
        return math.inf
    if isinstance(left, torch.Tensor):
        return _differing_words(left, right) if (left.shape, left.dtype) == (right.shape, right.dtype) else math.inf
    if left == right or (left != left and right != right):
        return 0
    if type(left) is int:
        return math.ceil(max(left.bit_length(), right.bit_length()) / _BITS)
    return {float: 1, complex: 2}.get(type(left), math.inf)


def _differing_words(left: torch.Tensor, right: torch.Tensor) -> int:
    differ = left.flatten().view(torch.uint8) != right.flatten().view(torch.uint8)
    padding = -len(differ) % (_BITS // 8)
    return int(torch.nn.functional.pad(differ, (0, padding)).view(-1, _BITS // 8).any(1).sum())
