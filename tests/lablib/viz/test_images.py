from __future__ import annotations

import numpy as np
import pytest

from lablib import viz

CURVE = {"cost": [1e6, 5e6], "value": [30.0, 3.0], "cost_name": "FLOPs an image", "value_name": "distance"}


def sheet(picture, frame=None):
    data = picture.figure.data if frame is None else picture.figure.frames[frame].data
    return np.array(data[0].z, dtype=float)


def test_images_stand_side_by_side_with_a_gap_and_are_cut_off_at_white_and_black():
    images = np.zeros((1, 2, 2, 3))
    images[0, 0, 0, 0], images[0, 1] = 7.0, 0.25
    drawn = sheet(viz.image_steps(images, ["0"], title="Which?"))
    assert drawn.shape == (2, 7) and drawn[0, 0] == 1.0
    assert np.isnan(drawn[:, 3]).all() and (drawn[:, 4:] == 0.25).all()


def test_rows_are_filled_one_after_another_and_named():
    images = np.arange(4).reshape(1, 4, 1, 1) / 4
    picture = viz.image_steps(images, ["0"], title="Which?", rows=("x_t", "x_0"))
    assert sheet(picture)[[0, 0, 2, 2], [0, 2, 0, 2]].tolist() == [0, 0.25, 0.5, 0.75]
    assert [note.text for note in picture.figure.layout.annotations] == ["x_t", "x_0"]


def test_a_step_shows_its_images_its_note_and_its_point_of_the_curve():
    images = np.stack([np.zeros((3, 2, 2)), np.ones((3, 2, 2))])
    picture = viz.image_steps(
        images,
        ["1", "5"],
        title="What does a step buy?",
        prefix="passes = ",
        notes=["one", "five"],
        curve=CURVE,
        start=1,
    )
    frames, slider = picture.figure.frames, picture.figure.layout.sliders[0]
    assert np.nanmax(sheet(picture, 0)) == 0 and np.nanmin(sheet(picture, 1)) == 1
    assert [frame.layout.title.subtitle.text for frame in frames] == ["one", "five"]
    assert [(frame.data[1].x, frame.data[1].y) for frame in frames] == [((1e6,), (30.0,)), ((5e6,), (3.0,))]
    assert slider.active == 1 and [step.label for step in slider.steps] == ["1", "5"]
    assert picture.summary == (
        "What does a step buy? 3 images of 2 x 2 in 2 steps, from passes = 1 to passes = 5. "
        "distance against FLOPs an image: 30 at 1 M, then 3 at 5 M."
    )


def test_other_methods_are_named_on_the_curve():
    images = np.zeros((2, 1, 2, 2))
    picture = viz.image_steps(images, ["1", "5"], title="Which?", curve={**CURVE, "others": [("VAE", 2e5, 19.0)]})
    named = picture.figure.data[-1]
    assert named.text == (" VAE",) and named.x == (2e5,) and named.y == (19.0,)
    assert picture.figure.layout.xaxis2.type == picture.figure.layout.yaxis2.type == "log"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"images": np.zeros((2, 8, 8)), "labels": ["0", "1"]}, r"shape \(steps, images, height, width\), got \(2, 8"),
        ({"labels": ["0"]}, "there are 2 steps but 1 labels"),
        ({"notes": ["only one"]}, "2 steps but 1 notes"),
        ({"rows": ("a", "b")}, "3 images do not fill 2 rows"),
        ({"curve": {"cost": [1, 2], "value": [1, 2]}}, "the curve has no 'cost_name'"),
        ({"curve": {**CURVE, "cost": [1.0]}}, "2 steps but 1 curve's cost"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(arguments, sentence):
    given = {"images": np.zeros((2, 3, 8, 8)), "labels": ["0", "1"], "title": "Which?", **arguments}
    with pytest.raises(ValueError, match=sentence):
        viz.image_steps(**given)


@pytest.mark.parametrize("count", [1, 7, 8, 30])
def test_any_number_of_images_fits(count):
    picture = viz.image_steps(np.zeros((2, count, 8, 8)), ["0", "1"], title="Which?")
    domains = picture.figure.layout.xaxis.domain, picture.figure.layout.yaxis.domain
    assert all(0 <= low < high <= 1 for low, high in domains)
