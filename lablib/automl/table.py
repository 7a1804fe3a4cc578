"""The trained table, and a way to ask it that counts.

`read` gives the whole table, which knows the optimum. A search is given `Queries`: an accuracy for a cell, one query
each, until its budget is spent. What took a search of its own days then takes seconds, and ten of them can be compared.

``cells.npz`` holds how many validation and test images each network classified correctly; ``cells.json`` says how it
was made, its licence and its checksum. The order is that of `lablib.automl.space.cells`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lablib.automl.space import OPERATIONS, number
from lablib.automl.training import TEST, VALIDATION

__all__ = ["FOLDER", "Queries", "Table", "card", "read"]

FOLDER = Path(__file__).parent / "trained"


class Table:
    """Accuracies of every cell.

    Parameters
    ----------
    validation, test
        Correct answers, shape (cells, seeds, evaluated epochs).

    Attributes
    ----------
    validation, test
        Accuracies, float64, of the same shape. The last epoch is the finished training.
    """

    def __init__(self, validation: np.ndarray, test: np.ndarray) -> None:
        self.validation = validation / VALIDATION
        self.test = test / TEST

    @property
    def mean(self) -> np.ndarray:
        """Validation accuracy of every cell after the last epoch, the mean over seeds; shape (cells,)."""
        return self.validation[:, :, -1].mean(1)

    def accuracy(self, cell: Sequence[int]) -> float:
        """`mean` of one cell."""
        return float(self.mean[number(cell)])

    def regret(self, cell: Sequence[int]) -> float:
        """By how much the best cell of the space is better, in accuracy."""
        return float(self.mean.max()) - self.accuracy(cell)


def card(folder: Path = FOLDER) -> dict[str, Any]:
    """How the table came about."""
    return json.loads((folder / "cells.json").read_text())


def read(folder: Path = FOLDER) -> Table:
    """The whole table.

    Raises
    ------
    OSError
        If the file is missing, or is not the one that the card's checksum was taken of.
    ValueError
        If the table is one of another space.
    """
    path, about = folder / "cells.npz", card(folder)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != about["sha256"]:
        raise OSError(
            f"{path.name} was changed: expected SHA-256 {about['sha256'][:12]}…, found {found[:12]}…. Install lablib "
            "again, or run `git restore` on it."
        )
    if tuple(about["operations"]) != OPERATIONS:
        raise ValueError(f"{path.name} has operations {about['operations']}, the space has {list(OPERATIONS)}.")
    with np.load(path) as archive:
        return Table(archive["validation"], archive["test"])


class Queries:
    """A training for each call: the accuracy that one training of a cell reached, until the budget is spent.

    Parameters
    ----------
    table
        Whom to ask.
    budget
        How many calls are answered. A cell that is asked twice counts twice.
    seed
        Which of a cell's trainings answers: a search sees one, with its luck.

    Attributes
    ----------
    asked
        The cells, in the order of the calls.

    Examples
    --------
    >>> counts = np.full((15625, 3, 4), 1900)
    >>> query = Queries(Table(counts, counts), budget=2)
    >>> query((0, 0, 0, 4, 0, 0)), query.left
    (0.95, 1)
    """

    def __init__(self, table: Table, budget: int, seed: int = 0) -> None:
        self.table, self.budget, self.seed = table, budget, seed
        self.asked: list[tuple[int, ...]] = []

    @property
    def left(self) -> int:
        """Calls that will still be answered."""
        return self.budget - len(self.asked)

    def __call__(self, cell: Sequence[int]) -> float:
        """Validation accuracy of one finished training.

        Raises
        ------
        ValueError
            If this is no cell.
        RuntimeError
            If the budget is spent.
        """
        index = number(cell)
        if not self.left:
            raise RuntimeError(f"The budget of {self.budget} queries is spent.")
        self.asked.append(tuple(int(operation) for operation in cell))
        return float(self.table.validation[index, self.seed, -1])
