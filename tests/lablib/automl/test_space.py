"""Cells and their numbers, and what is left of a cell without idle edges."""

from __future__ import annotations

import random

import pytest
import torch

from lablib.automl import space
from lablib.automl.liveness import live
from lablib.automl.network import SIDE, Network, initial_state
from lablib.automl.train_table import distinct


def test_numbers_are_positions_in_the_list_of_cells() -> None:
    every = list(space.cells())
    assert len(every) == len(set(every)) == space.CELLS >= 4096
    for value in range(0, space.CELLS, 97):
        assert space.number(every[value]) == value
        assert space.of_number(value) == every[value]


@pytest.mark.parametrize("wrong", [(), (1,) * 5, (1,) * 7, (5,) + (0,) * 5, (-1,) + (0,) * 5])
def test_what_is_no_cell_is_refused(wrong: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="A cell is 6 numbers"):
        space.number(wrong)


@pytest.mark.parametrize("wrong", [-1, space.CELLS])
def test_what_is_no_number_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="numbered 0 to"):
        space.of_number(wrong)


def test_idle_edges_change_nothing_and_live_ones_do() -> None:
    generator = torch.Generator().manual_seed(0)
    x, inside = torch.randn(2, 1, SIDE, SIDE, generator=generator), torch.randn(1, 8, 7, 7, generator=generator)
    for cell in random.Random(0).sample(list(space.cells()), 12):
        model = Network(cell)
        model.load_state_dict(initial_state(cell, 0), strict=False)
        reduced = Network(live(cell))
        state = model.state_dict()
        reduced.load_state_dict({name: state[name] for name in reduced.state_dict()})
        torch.testing.assert_close(model(x), reduced(x))
        for edge, operation in enumerate(live(cell)):
            if operation:
                cut = [*live(cell)[:edge], 0, *live(cell)[edge + 1 :]]
                other = Network(cut)
                other.load_state_dict({name: state[name] for name in other.state_dict()})
                assert not torch.allclose(reduced.cell1(inside), other.cell1(inside))


def test_every_function_is_trained_once() -> None:
    trained = distinct()
    assert len(trained) == len(set(trained))
    assert set(trained) == {live(cell) for cell in space.cells()}
    assert all(live(cell) == cell for cell in trained)
