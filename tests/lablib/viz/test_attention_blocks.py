from __future__ import annotations

import numpy as np
import pytest

from lablib import viz
from lablib.viz.attention_blocks import _CUT, _FULL, _SKIPPED


def kinds(picture, step: int = 0) -> list[list[int]]:
    return np.asarray(picture.figure.frames[step].data[0].z).tolist()


def test_a_causal_mask_skips_what_lies_above_the_diagonal():
    picture = viz.attention_tiles(12, 12, [(4, 4)], causal=True)
    assert kinds(picture) == [[_CUT, _SKIPPED, _SKIPPED], [_FULL, _CUT, _SKIPPED], [_FULL, _FULL, _CUT]]
    assert [list(row) for row in picture.figure.frames[0].data[2].text] == [["3", "2", "1"]]
    assert picture.summary == (
        "4 × 4: 6 of 9 tiles are computed, 3 of them cut by the mask; 3 are skipped (33%). "
        "A block of keys is loaded 2 times on average."
    )


def test_a_window_skips_on_both_sides():
    assert kinds(viz.attention_tiles(16, 16, [(4, 4)], causal=True, window=4)) == [
        [_CUT, _SKIPPED, _SKIPPED, _SKIPPED],
        [_CUT, _CUT, _SKIPPED, _SKIPPED],
        [_SKIPPED, _CUT, _CUT, _SKIPPED],
        [_SKIPPED, _SKIPPED, _CUT, _CUT],
    ]


def test_without_a_mask_every_pair_counts():
    assert kinds(viz.attention_tiles(4, 8, [(4, 4)])) == [[_FULL, _FULL]]


def test_with_more_keys_the_last_query_stands_at_the_last_key():
    assert kinds(viz.attention_tiles(4, 8, [(4, 4)], causal=True)) == [[_FULL, _CUT]]


def test_blocks_that_do_not_divide_end_with_the_sequence():
    figure = viz.attention_tiles(10, 10, [(4, 8)], causal=True).figure
    assert list(figure.frames[0].data[0].x) == [0, 8, 10] and list(figure.frames[0].data[0].y) == [0, 4, 8, 10]


def test_a_step_a_pair_of_blocks():
    figure = viz.attention_tiles(64, 64, [(8, 8), (16, 8)], causal=True).figure
    assert [step.label for step in figure.layout.sliders[0].steps] == ["8 × 8", "16 × 8"]
    assert "20 of 32 tiles" in figure.frames[1].layout.title.subtitle.text


@pytest.mark.parametrize(
    ("blocks", "options"),
    [([], {}), ([(0, 4)], {}), ([(4, 4)], {"window": 2}), ([(4, 4)], {"causal": True, "window": -1})],
)
def test_what_cannot_be_drawn_is_refused(blocks, options):
    with pytest.raises(ValueError, match="a window only with causal=True; got 8 queries"):
        viz.attention_tiles(8, 8, blocks, **options)
