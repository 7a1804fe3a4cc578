"""Replays a trace a program or an instruction at a time, and keeps what a picture of each step needs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lablib.viz.footprint import Footprint

_MOST_MOMENTS = 96  # positions of the slider; a longer trace shows several steps at each


@dataclass(frozen=True)
class Touched:
    """Elements of one buffer, by index, that a step loaded, stored, or fetched in vain with a sector."""

    loaded: np.ndarray
    stored: np.ndarray
    unused: np.ndarray


@dataclass(frozen=True)
class Moment:
    """The state after a step.

    Attributes
    ----------
    label
        Which program or instruction it was.
    touched
        What the step touched, by buffer.
    counts
        Loads and stores so far, a mean for each square, by buffer: two arrays [rows, columns].
    moved
        Bytes so far by ``load``, ``store`` and ``atomic``.
    fetched, used
        Bytes of the sectors that the step loaded from, and of what it asked for in them.
    """

    label: str
    touched: dict[str, Touched]
    counts: dict[str, tuple[np.ndarray, np.ndarray]]
    moved: dict[str, int]
    fetched: int = 0
    used: int = 0


def replay(accesses: Sequence[Any], step: str, prints: Sequence[Footprint]) -> list[Moment]:
    """Add a trace's accesses to the footprints; return the state after each step, and the totals as the last.

    Parameters
    ----------
    accesses
        In the order of execution.
    step
        ``"program"`` or ``"instruction"``.
    prints
        Of every buffer that is accessed; their counts are added to.
    """
    by_name = {one.name: one for one in prints}
    moved = {"load": 0, "store": 0, "atomic": 0}
    history = []
    for label, group in _steps(accesses, step):
        touched, fetched, used = {}, 0, 0
        for name in dict.fromkeys(access.buffer for access in group):
            one, before = by_name[name], (by_name[name].fetched, by_name[name].used)
            touched[name] = _apply(one, [access for access in group if access.buffer == name], moved)
            fetched, used = fetched + one.fetched - before[0], used + one.used - before[1]
        counts = {one.name: one.mean_counts() for one in prints}
        history.append(Moment(label, touched, counts, dict(moved), fetched, used))
    totals = {one.name: one.mean_counts() for one in prints}
    history.append(Moment("all programs", {}, totals, moved))
    return history


def _apply(one: Footprint, accesses: Sequence[Any], moved: dict[str, int]) -> Touched:
    """Count one step's accesses of one buffer, and return what they touched."""
    asked: dict[str, list[np.ndarray]] = {"load": [], "store": []}
    for access in accesses:
        # An element that several lanes of one instruction name moves once.
        offsets = np.unique(np.asarray(access.offsets, np.int64))
        moved[access.op] += len(offsets) * one.itemsize
        for kind, counts in (("load", one.loads), ("store", one.stores)):
            if access.op in (kind, "atomic"):  # an atomic reads, changes and writes
                counts[one.elements_at(offsets)] += 1
                asked[kind].append(offsets)
    loaded, stored = (np.unique(np.concatenate([*found, np.empty(0, np.int64)])) for found in asked.values())
    one.fetched += one.sector_bytes(loaded)
    one.used += len(loaded) * one.itemsize
    return Touched(one.elements_at(loaded), one.elements_at(stored), one.sector_mates(loaded))


def _steps(accesses: Sequence[Any], step: str) -> list[tuple[str, list[Any]]]:
    """Cut a trace into labelled steps, several programs or instructions to a step where there are many."""
    several = len({_launch(access) for access in accesses}) > 1
    if step == "program":
        programs = itertools.groupby(accesses, key=lambda access: (tuple(access.program), _launch(access)))
        runs = [(_program(*key, several), list(group)) for key, group in programs]
    else:
        runs = [(_instruction(access, several), [access]) for access in accesses]
    share = math.ceil(len(runs) / _MOST_MOMENTS)
    return [_merge(runs[first : first + share]) for first in range(0, len(runs), share)]


def _merge(runs: Sequence[tuple[str, list[Any]]]) -> tuple[str, list[Any]]:
    first, last = runs[0][0], runs[-1][0]
    return first if len(runs) == 1 else f"{first} to {last}", [access for _, group in runs for access in group]


def _launch(access: Any) -> int:
    return getattr(access, "launch", 0)


def _program(program: tuple[int, ...], launch: int, several: bool) -> str:
    """Write a program id as short as the grid allows, e.g. ``program 3`` or ``program (3, 1)``."""
    used = max((axis for axis, value in enumerate(program) if value), default=0) + 1
    text = f"program {program[0]}" if used == 1 else f"program ({', '.join(map(str, program[:used]))})"
    return f"launch {launch + 1}, {text}" if several else text


def _instruction(access: Any, several: bool) -> str:
    line = f", line {access.line}" if access.line else ""
    return f"{_program(tuple(access.program), _launch(access), several)}: {access.op} {access.buffer}{line}"
