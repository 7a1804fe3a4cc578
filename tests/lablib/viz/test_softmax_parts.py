from __future__ import annotations

import numpy as np
import pytest

from lablib import viz

ROW = [1.0, 0.0, 2.0, 1.0, -1.0, 0.5, 4.0, 3.0]


def weights(frame):
    return np.asarray(frame.data[2].y)


def test_a_frame_a_part_measures_weights_from_the_greatest_so_far():
    figure = viz.online_softmax(ROW, block=2).figure
    assert [step.label for step in figure.layout.sliders[0].steps][-2:] == ["part 4", "divide by l"]
    np.testing.assert_allclose(weights(figure.frames[0])[:2], [1, np.exp(-1)])
    assert not weights(figure.frames[0])[2:].any()
    np.testing.assert_allclose(weights(figure.frames[1])[:4], np.exp(np.array(ROW[:4]) - 2))
    assert figure.frames[1].data[1].y == (2.0, 2.0)


def test_the_last_frame_is_the_softmax():
    last = weights(viz.online_softmax(ROW, block=3).figure.frames[-1])
    np.testing.assert_allclose(last, np.exp(ROW) / np.exp(ROW).sum())


def test_a_sentence_says_what_shrinks_and_what_does_not():
    frames = viz.online_softmax([1.0, 3.0, 2.0], block=1).figure.frames
    sentences = [frame.layout.title.subtitle.text for frame in frames]
    assert sentences[0] == "The first score: m = 1, l = 1."
    assert sentences[1].startswith(
        "m rises from 1 to 3, so what is there shrinks by exp(−2) = 0.135: l = 1 · 0.135 + 1"
    )
    assert sentences[2].startswith("No greater score: m stays 3, l = 1.14 · 1 + 0.368")


def test_the_summary_counts_rises():
    assert viz.online_softmax(ROW, block=2).summary == (
        "8 scores in 4 parts: m rises 2 times after the first part, to 4; l = 1.66 at the end."
    )
    assert "m never rises" in viz.online_softmax([3.0, 1.0], block=1).summary


def test_a_long_row_has_no_number_on_every_bar():
    figure = viz.online_softmax(np.linspace(0, 1, 40), block=8).figure
    assert figure.frames[0].data[0].text is None and figure.layout.xaxis.tickmode == "auto"


@pytest.mark.parametrize(("row", "block"), [([], 1), ([1.0, -np.inf], 1), ([1.0], 0)])
def test_what_has_no_softmax_is_refused(row, block):
    with pytest.raises(ValueError, match="takes finite scores, at least one, and block >= 1"):
        viz.online_softmax(row, block)
