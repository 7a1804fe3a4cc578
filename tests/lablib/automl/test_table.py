"""The table's reader refuses what it should, and queries are counted."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from lablib.automl import space
from lablib.automl.liveness import live
from lablib.automl.table import FOLDER, Queries, Table, card, read
from lablib.automl.train_table import SEEDS, assemble, distinct
from lablib.automl.training import RECIPE, VALIDATION, train


def written(folder: Path, **about: object) -> Path:
    counts = np.zeros((space.CELLS, 3, 2), np.uint16)
    np.savez_compressed(folder / "cells.npz", validation=counts, test=counts)
    sha256 = hashlib.sha256((folder / "cells.npz").read_bytes()).hexdigest()
    (folder / "cells.json").write_text(json.dumps({"operations": space.OPERATIONS, "sha256": sha256} | about))
    return folder


def small_table() -> Table:
    """Cell i has 0, 1 or 2 more correct answers than a tenth of its number, by seed."""
    counts = np.zeros((space.CELLS, 3, 2))
    counts[:, :, 1] = np.arange(space.CELLS)[:, None] // 10 + np.arange(3)
    return Table(counts, counts / 2)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    assert read(written(tmp_path)).mean.shape == (space.CELLS,)
    with (tmp_path / "cells.npz").open("ab") as file:
        file.write(b"0")
    with pytest.raises(OSError, match="was changed"):
        read(tmp_path)


def test_a_table_of_another_space_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has operations"):
        read(written(tmp_path, operations=["none", "skip"]))


def test_queries_are_counted_and_end() -> None:
    query = Queries(small_table(), budget=3, seed=2)
    cell = space.of_number(5000)
    assert [query(cell), query(list(cell)), query((0,) * 6)] == [502 / 2000, 502 / 2000, 2 / 2000]
    assert query.asked == [cell, cell, (0,) * 6] and query.left == 0
    with pytest.raises(RuntimeError, match="budget of 3"):
        query(cell)


def test_what_is_no_cell_costs_no_query() -> None:
    query = Queries(small_table(), budget=1)
    with pytest.raises(ValueError, match="A cell is"):
        query((9,) * 6)
    assert query.left == 1


def test_regret_is_the_distance_to_the_best_mean() -> None:
    table = small_table()
    assert table.regret(space.of_number(space.CELLS - 1)) == 0
    assert table.regret(space.of_number(0)) == pytest.approx(1562 / 2000)


def test_parts_make_a_table_and_a_missing_one_is_told(tmp_path: Path) -> None:
    cells, counts = distinct(), np.zeros((len(distinct()), 3, 4, 2), np.uint16)
    counts[:, 1, 2, 0] = np.arange(len(cells))
    numbers = np.array([space.number(cell) for cell in cells], np.int32)
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for path, part in zip(paths, (slice(0, 4000), slice(4000, None)), strict=True):
        np.savez_compressed(path, cells=numbers[part], correct=counts[part])
    table = assemble(paths)
    cell = (0, 4, 4, 1, 3, 0)
    assert table["validation"].shape == table["test"].shape == (space.CELLS, 3, 4)
    assert table["validation"][space.number(cell), 1, 2] == cells.index(live(cell))
    with pytest.raises(ValueError, match="cells are in none of the 1 parts"):
        assemble(paths[:1])


def test_the_shipped_table_is_whole_and_what_its_card_says() -> None:
    table, about = read(), card()
    assert table.validation.shape == table.test.shape == (space.CELLS, len(about["seeds"]), len(RECIPE.evaluated))
    assert about["recipe"].items() <= json.loads(json.dumps(asdict(RECIPE))).items()
    assert about["trainings"] == len(distinct()) * len(SEEDS) and about["licence"] == "CC-BY-4.0"
    assert (FOLDER / "cells.npz").stat().st_size < 10e6
    assert table.mean.max() == pytest.approx(about["metrics"]["best_mean_validation_accuracy"])
    # A cell without a path answers the same for every image; one with a path learns.
    assert table.accuracy((0,) * 6) < 0.12
    assert all(table.accuracy(cell) > 0.7 for cell in [(4,) * 6, (4, 0, 4, 0, 1, 4)])
    for cell in list(space.cells())[::501]:
        assert table.accuracy(cell) == table.accuracy(live(cell))


@pytest.mark.slow
def test_a_cell_trained_again_agrees_with_the_table() -> None:
    """Rounding differs from the GPU's, so it is another draw from the spread of the cell."""
    cell = (0, 0, 0, 4, 0, 0)
    correct = train([cell], (0,), torch.device("cpu"))
    assert abs(float(correct[0, 0, -1, 0]) / VALIDATION - read().accuracy(cell)) <= 0.03
