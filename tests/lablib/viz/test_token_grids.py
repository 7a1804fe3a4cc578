from __future__ import annotations

import numpy as np
import pytest

from lablib import viz


def picture():
    images = np.linspace(0, 1, 16).reshape(1, 4, 4)
    groups = [[[[0, 1], [2, 3]]], [[[0, 1], [0, 2]]]]
    return viz.token_groups(images, groups, ["no block", "block 1"])


def test_the_summary_counts_tokens_at_both_ends():
    assert picture().summary == (
        "Which patches share a token? 1 image of 2 x 2 patches: 4 tokens at no block, 3 at block 1."
    )


def test_shared_patches_have_a_colour_and_a_number_and_others_none():
    before, after = picture().figure.frames
    assert np.isnan(np.array(before.data[0].z, dtype=float)).all() and len(before.data[3].text) == 0
    hue = np.array(after.data[0].z, dtype=float)
    assert (hue[:, :2] == 0).all() and np.isnan(hue[:, 2:]).all()
    assert after.data[3].text == ("1", "1") and after.data[3].x == (0.5, 0.5) and after.data[3].y == (0.5, 2.5)


def test_lines_part_patches_of_different_tokens_only():
    def horizontal(frame):
        xs, ys = frame.data[2].x, frame.data[2].y
        return {(xs[i], ys[i]) for i in range(0, len(xs), 3) if ys[i] == ys[i + 1]}

    before, after = picture().figure.frames
    assert (-0.5, 1.5) in horizontal(before), "between patches 0 and 2"
    assert (-0.5, 1.5) not in horizontal(after) and (1.5, 1.5) in horizontal(after)


def test_the_sentence_tells_the_largest_token():
    before, after = picture().figure.frames
    assert before.layout.title.subtitle.text.endswith("the largest token stands for 1 patch.")
    assert after.layout.title.subtitle.text == (
        "3 tokens an image; patches that are alone: 2; the largest token stands for 2 patches."
    )


def test_numbers_can_be_read_on_ink_and_on_paper():
    images = np.array([[[0.0, 0.0, 1.0, 1.0]] * 2])
    picture = viz.token_groups(images, [[[[3, 3]]]], ["x"])
    paper, ink = picture.figure.data[3].textfont.color
    assert (paper, ink) == ("#1B2733", "#FFFFFF")


def test_the_last_step_is_shown_first():
    figure = picture().figure
    assert figure.layout.sliders[0].active == 1 and figure.data[3].text == ("1", "1")


def test_images_stand_side_by_side():
    images, groups = np.zeros((2, 4, 4)), np.arange(8).reshape(1, 2, 2, 2)
    drawn = np.array(viz.token_groups(images, groups, ["x"]).figure.data[1].z, dtype=float)
    assert drawn.shape == (4, 11) and np.isnan(drawn[:, 4:7]).all() and (drawn[:, 7:] == 0).all()


@pytest.mark.parametrize(
    ("images", "groups", "labels", "sentence"),
    [
        (np.zeros((4, 4)), np.zeros((1, 1, 2, 2)), ["x"], r"it got \(4, 4\) and \(1, 1, 2, 2\)"),
        (np.zeros((1, 4, 4)), np.zeros((1, 1, 3, 2)), ["x"], r"\(3, 2\) patches do not fill an image of \(4, 4\)"),
        (np.zeros((1, 4, 4)), np.zeros((1, 1, 2, 2)), ["x", "y"], "there are 1 steps but 2 labels"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(images, groups, labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        viz.token_groups(images, groups, labels)
