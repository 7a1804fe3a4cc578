"""One buffer of a traced kernel: its elements in squares, and how often each was touched so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lablib.viz.units import percent

SECTOR = 32  # bytes that the memory system moves at a time
_WRAP = 32  # elements of a vector to a row
_SIDE = 64  # squares along a side of a drawn buffer; a larger one is binned


@dataclass
class Footprint:
    """A buffer's elements in squares, and counts that a replay adds to.

    Attributes
    ----------
    name, shape, itemsize, alignment
        Of the buffer; ``itemsize`` in bytes, ``alignment`` its first byte's place in a sector.
    addresses
        Offset in elements of each element from the first, in index order: int64 [elements].
    rows, cols
        Row and column of the square that each element is drawn in: int64 [elements].
    drawn
        Rows and columns of squares.
    loads, stores
        Times that each element was loaded and stored: int64 [elements].
    fetched, used
        Bytes of the sectors that steps loaded from, and of what they asked for in them.
    """

    name: str
    shape: tuple[int, ...]
    itemsize: int
    alignment: int
    addresses: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    loads: np.ndarray = field(init=False)
    stores: np.ndarray = field(init=False)
    fetched: int = 0
    used: int = 0

    def __post_init__(self) -> None:
        self.drawn = (int(self.rows.max()) + 1, int(self.cols.max()) + 1)
        self.loads = np.zeros(len(self.addresses), np.int64)
        self.stores = np.zeros(len(self.addresses), np.int64)
        self._members = self._bin(np.ones(len(self.addresses)))
        self._order = np.argsort(self.addresses, kind="stable")
        self._ordered = self.addresses[self._order]

    @property
    def exists(self) -> np.ndarray:
        """Which squares hold an element: bool [rows, columns]."""
        return self._members > 0

    def _bin(self, values: np.ndarray) -> np.ndarray:
        squares = np.bincount(self.rows * self.drawn[1] + self.cols, values, self.drawn[0] * self.drawn[1])
        return squares.reshape(self.drawn)

    def elements_at(self, offsets: np.ndarray) -> np.ndarray:
        """Return the index of the element at each offset; offsets at which there is none are left out."""
        place = np.searchsorted(self._ordered, offsets).clip(max=len(self._ordered) - 1)
        return self._order[place[self._ordered[place] == offsets]]

    def sectors(self, offsets: np.ndarray) -> np.ndarray:
        """Return the number of the sector that each offset lies in."""
        return (offsets * self.itemsize + self.alignment) // SECTOR

    def sector_mates(self, offsets: np.ndarray) -> np.ndarray:
        """Return the elements that share a sector with an offset but are at none of them."""
        mates = np.isin(self.sectors(self.addresses), np.unique(self.sectors(offsets)))
        return np.flatnonzero(mates & ~np.isin(self.addresses, offsets))

    def sector_bytes(self, offsets: np.ndarray) -> int:
        """Return the bytes of the sectors that the offsets lie in, gaps between elements of a view included.

        What lies before the buffer's first element or after its last is not counted: it is no waste of the kernel's.
        """
        low = np.unique(self.sectors(offsets)) * SECTOR
        first = int(self._ordered[0]) * self.itemsize + self.alignment
        last = (int(self._ordered[-1]) + 1) * self.itemsize + self.alignment
        return int((np.minimum(low + SECTOR, last) - np.maximum(low, first)).sum())

    def positions(self, elements: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and columns of the squares that hold ``elements``, each square once."""
        squares = np.unique(self.rows[elements] * self.drawn[1] + self.cols[elements])
        return squares // self.drawn[1], squares % self.drawn[1]

    def mean_counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return loads and stores so far, averaged over the elements of each square: [rows, columns] each."""
        members = np.maximum(self._members, 1)
        return self._bin(self.loads) / members, self._bin(self.stores) / members

    def caption(self) -> str:
        """Name, shape and, when several elements share a square, how many."""
        shape = " x ".join(map(str, self.shape)) or "scalar"
        share = int(self._members.max())
        return f"<b>{self.name}</b>  {shape}" + (f", {share} elements a square" if share > 1 else "")

    def sentence(self) -> str:
        """Say how often the elements were loaded and stored, and how well the fetched sectors were used."""
        parts = []
        for verb, counts in (("loaded", self.loads), ("stored", self.stores)):
            if counts.any():
                low, high = int(counts.min()), int(counts.max())
                times = f"{low}" if low == high else f"{low} to {high}"
                parts.append(f"{verb} once" if times == "1" else f"{verb} {times} times")
        text = f"Each element of {self.name} was {' and '.join(parts)}." if parts else ""
        if self.fetched > self.used:
            share = percent(self.used / self.fetched)
            text += f" Loads of {self.name} use {share} of the sectors that they fetch."
        return text


def footprints(buffers: dict[str, Any]) -> list[Footprint]:
    """Lay out in squares every buffer that has elements, in the given order."""
    return [_lay_out(name, buffer) for name, buffer in buffers.items() if 0 not in buffer.shape]


def _lay_out(name: str, buffer: Any) -> Footprint:
    shape = tuple(int(length) for length in buffer.shape)
    addresses = np.zeros(1, np.int64)
    for length, stride in zip(shape, buffer.strides, strict=True):
        addresses = np.add.outer(addresses, np.arange(length) * int(stride)).ravel()
    rows, cols = _squares(shape, len(addresses))
    alignment = int(getattr(buffer, "alignment", 0))
    return Footprint(name, shape, int(buffer.itemsize), alignment, addresses, rows, cols)


def _squares(shape: Sequence[int], elements: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose the square of each element: a vector is wrapped, all axes of a tensor but the last go down."""
    index = np.arange(elements)
    if len(shape) < 2:
        share = math.ceil(elements / _SIDE**2)
        wrap = _WRAP if elements <= _WRAP * _SIDE else _SIDE
        return index // share // wrap, index // share % wrap
    rows, cols = np.divmod(index, shape[-1])
    return rows // math.ceil((rows[-1] + 1) / _SIDE), cols // math.ceil(shape[-1] / _SIDE)
