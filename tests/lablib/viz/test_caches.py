from __future__ import annotations

import numpy as np
import pytest

from lablib import viz

SIZES = {"weight_bytes": 1e6, "memory_bytes": 5e6}


def test_lines_grow_with_the_tokens_and_the_batch():
    figure = viz.cache_growth({"a": 1000, "b": 250}, **SIZES, batches=[1, 10]).figure
    first, last = figure.frames[0].data[0], figure.frames[1].data[0]
    np.testing.assert_allclose(np.array(first.y) * 1e9, 1000 * np.array(first.x))
    np.testing.assert_allclose(np.array(last.y), 10 * np.array(first.y))
    np.testing.assert_allclose(np.array(figure.data[1].y), np.array(first.y) / 4)
    assert figure.data[0].line.dash != figure.data[1].line.dash
    assert figure.data[0].hovertext[0] == "a: 128 kB at 128 tokens"


def test_weights_and_room_are_drawn_and_named():
    layout = viz.cache_growth({"a": 1000}, **SIZES, batches=[1]).figure.layout
    assert [shape.y0 for shape in layout.shapes] == [1e-3, 4e-3]
    assert [note.text for note in layout.annotations] == ["weights: 1 MB", "what they leave of the memory: 4 MB"]
    low, high = layout.yaxis.range
    assert all(low < note.y < high for note in layout.annotations)


def test_the_step_says_where_the_lines_cross():
    frames = viz.cache_growth({"a": 1000}, **SIZES, batches=[1, 10]).figure.frames
    told = frames[1].layout.title.subtitle.text.replace("<br>", " ")
    assert told == "10 texts. Tokens each at which caches equal the weights, and fill the memory: a 100 and 400."


@pytest.mark.parametrize(
    ("token_bytes", "batches", "sizes", "sentence"),
    [
        ({}, [1], SIZES, "needs bytes and batches from 1 up"),
        ({"a": 0}, [1], SIZES, "needs bytes and batches from 1 up"),
        ({"a": 1}, [], SIZES, "needs bytes and batches from 1 up"),
        ({"a": 1}, [1], {"weight_bytes": 6.0, "memory_bytes": 5.0}, "weights of 6 bytes do not fit"),
    ],
)
def test_what_cannot_be_drawn_is_refused(token_bytes, batches, sizes, sentence):
    with pytest.raises(ValueError, match=sentence):
        viz.cache_growth(token_bytes, **sizes, batches=batches)
