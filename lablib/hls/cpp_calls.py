"""From Python's arguments to a kernel's bytes, and back."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from lablib.hls.cpp_types import Parameter, Signature
from lablib.hls.errors import HardwareError

__all__ = ["bound", "has_tensor", "packed", "returned", "unpacked"]

_BYTES = 8  # of each value


def has_tensor(values: Iterable[Any]) -> bool:
    """Whether any of them is a torch tensor."""
    return any(isinstance(value, torch.Tensor) for value in values)


def bound(signature: Signature, values: Sequence[Any], named: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Arrays by parameter, as they travel; a result that is not given is left out.

    Raises
    ------
    HardwareError
        Too many or too few, of an unknown name, or of values that the parameter's type cannot be made from.
    """
    inputs = [each.name for each in signature.inputs]
    if len(values) > len(inputs):
        raise HardwareError(
            f"{signature.name} reads {_listed(inputs)}, but {len(values)} arguments came: "
            "what it writes is returned, and its start is given by name."
        )
    given = dict(zip(inputs, values, strict=False))
    known = {each.name: each for each in signature.parameters}
    for name, value in named.items():
        if name not in known:
            raise HardwareError(f"{signature.name} has no parameter {name!r}: it has {_listed(known)}.")
        if name in given:
            raise HardwareError(f"{signature.name} got {name} twice.")
        given[name] = value
    missing = [name for name in inputs if name not in given]
    if missing:
        raise HardwareError(f"{signature.name} reads {_listed(inputs)}, but {_listed(missing)} did not come.")
    return {name: known[name].number.sent(_array(value), name) for name, value in given.items()}


def packed(signature: Signature, given: Mapping[str, np.ndarray]) -> tuple[int | None, bytes]:
    """How many calls these arguments are, or None for a single one, and their bytes.

    Raises
    ------
    HardwareError
        A shape does not fit its parameter, or two arguments are of different numbers of calls.
    """
    counts = {each.name: _calls(each, given[each.name]) for each in signature.parameters if each.name in given}
    several = {name: count for name, count in counts.items() if count is not None}
    if len(set(several.values())) > 1:
        listed = ", ".join(f"{name} has {count}" for name, count in several.items())
        raise HardwareError(f"{signature.name} is called once for each entry of the first axis, but {listed}.")
    runs = next(iter(several.values()), None)
    rows = 1 if runs is None else runs
    columns = [_column(each, given.get(each.name), rows) for each in signature.parameters]
    table = np.concatenate([np.zeros((rows, 0), np.int64), *columns], axis=1)
    return runs, np.int64(len(table)).tobytes() + table.tobytes()


def _calls(each: Parameter, array: np.ndarray) -> int | None:
    if each.stream:
        if array.ndim in (1, 2):
            return len(array) if array.ndim == 2 else None
        expected = "(length,) or (calls, length)"
    else:
        if array.shape == each.shape:
            return None
        if array.shape[1:] == each.shape and array.ndim:
            return len(array)
        expected = f"{each.shape} or {('calls', *each.shape)}".replace("'", "")
    raise HardwareError(f"{each} takes shape {expected}, but got {array.shape}.")


def _column(each: Parameter, array: np.ndarray | None, rows: int) -> np.ndarray:
    """The part of each call's bytes that is this parameter's, as a table of 8-byte integers with a row a call."""
    own = 1 if each.stream else len(each.shape)
    if array is None:
        array = np.zeros((0,) if each.stream else each.shape, each.number.wire)
    if array.ndim == own:
        array = np.broadcast_to(array, (rows, *array.shape))
    length = int(np.prod(array.shape[1:]))
    bits = np.ascontiguousarray(array).reshape(rows, length).view(np.int64)
    return np.concatenate([np.full((rows, 1), length), bits], axis=1) if each.stream else bits


def unpacked(signature: Signature, runs: int | None, answer: bytes) -> dict[str, np.ndarray]:
    """Results by name from what the kernel wrote, with an axis of calls where there are several."""
    collected: dict[str, list[np.ndarray]] = {each.name: [] for each in signature.results}
    place = 0
    for _ in range(1 if runs is None else runs):
        for each in signature.results:
            count = int(np.prod(each.shape))
            if each.stream:
                count = int(np.frombuffer(answer, np.int64, 1, place)[0])
                place += _BYTES
            values = np.frombuffer(answer, each.number.wire, count, place)
            place += _BYTES * count
            collected[each.name].append(values.reshape(values.shape if each.stream else each.shape))
    return {each.name: _stacked(signature, each, collected[each.name], runs) for each in signature.results}


def _stacked(signature: Signature, each: Parameter, values: list[np.ndarray], runs: int | None) -> np.ndarray:
    if runs is None:
        return values[0].astype(each.number.dtype)
    lengths = {len(one) for one in values} if each.stream else set()
    if len(lengths) > 1:
        raise HardwareError(
            f"{signature.name} wrote between {min(lengths)} and {max(lengths)} values to {each.name}: "
            "call it once for each, since the results do not fit one array."
        )
    if not values:
        return np.zeros((0, *each.shape), each.number.dtype)
    return np.stack(values).astype(each.number.dtype)


def returned(signature: Signature, results: Mapping[str, np.ndarray], as_tensors: bool) -> Any:
    """The one result, a named tuple of several, or None."""
    values = [
        torch.from_numpy(np.ascontiguousarray(one).reshape(one.shape)) if as_tensors else one
        for one in results.values()
    ]
    if len(values) <= 1:
        return values[0] if values else None
    return namedtuple(f"{signature.name}_results", results, rename=True)(*values)


def _array(value: Any) -> np.ndarray:
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
