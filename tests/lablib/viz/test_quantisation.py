"""The levels of a quantiser and the table of methods: what they say, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lablib import viz
from lablib.viz.quantisation import _errors

SCHEME = {"name": "affine", "bits": 4, "scale": 0.25, "zero_point": -3}


def test_errors_are_those_of_torchs_fake_quantisation():
    x = torch.randn(500, generator=torch.Generator().manual_seed(0)) * 2
    seen = _errors(x.double().numpy(), SCHEME)
    rounded = torch.fake_quantize_per_tensor_affine(x, 0.25, -3, -8, 7)
    wanted = float((rounded - x).square().mean().sqrt() / x.square().mean().sqrt())
    assert seen["total"] == pytest.approx(wanted, rel=1e-5) and seen["levels"] == 16
    assert seen["outside"] == pytest.approx(float(((x < -1.375) | (x > 2.625)).float().mean()))
    assert seen["clipping"] > seen["rounding"] > 0


def test_a_step_a_scheme_with_its_levels_and_what_it_clips():
    schemes = [SCHEME, {**SCHEME, "name": "wide", "bits": 3, "scale": 2.0, "zero_point": 0}]
    figure = viz.quantisation_levels(np.linspace(-4, 4, 200), schemes).figure
    assert [step.label for step in figure.layout.sliders[0].steps] == ["affine", "wide"]
    levels = [np.unique(np.array(frame.data[0].x)) for frame in figure.frames]
    np.testing.assert_allclose(levels[0], 0.25 * (np.arange(-8, 8) + 3))
    assert None not in figure.frames[0].data[1].x[:4] and list(figure.frames[1].data[1].x) == [None]
    assert figure.layout.yaxis.domain[0] > figure.layout.yaxis2.domain[1]
    assert figure.frames[1].layout.title.subtitle.text.startswith("wide: error ")


@pytest.mark.parametrize(
    ("values", "schemes"),
    [([0.0, 0.0], [SCHEME]), ([1.0], []), ([1.0], [{"name": "a"}]), ([1.0], [{**SCHEME, "scale": 0}])],
)  # fmt: skip
def test_numbers_and_schemes_that_cannot_be_drawn_are_refused(values, schemes):
    with pytest.raises(ValueError, match=r"needs numbers|needs name, bits"):
        viz.quantisation_levels(values, schemes)


def test_a_table_has_a_mark_a_measurement_and_says_what_fills_an_empty_row():
    rows = [
        {"name": "a", "values": {"GPT": [1.5, 2.0], "ViT": [1.1]}},
        {"name": "b", "values": {}, "todo": "exercise 4"},
    ]
    picture = viz.quality_table(rows, title="What is lost?", axis="perplexity")
    marks = {trace.name: [*zip(trace.x, trace.y, strict=True)] for trace in picture.figure.data}
    assert marks == {"GPT": [(1.5, 0), (2.0, 0)], "ViT": [(1.1, 0)]}
    texts = [note.text for note in picture.figure.layout.annotations]
    assert any("1.75 / 1.1" in text for text in texts) and "empty: exercise 4" in texts
    assert picture.summary == "What is lost? a: GPT 1.75, ViT 1.1; b: empty (exercise 4)."
    low, high = picture.figure.layout.xaxis.range
    assert low < 1.0 and high > 2.0, "the line at 1 and every mark lie inside"


def test_a_table_without_rows_or_numbers_is_refused():
    with pytest.raises(ValueError, match="needs rows"):
        viz.quality_table([], title="?", axis="x")
    with pytest.raises(ValueError, match="'a': GPT needs finite numbers"):
        viz.quality_table([{"name": "a", "values": {"GPT": [float("inf")]}}], title="?", axis="x")
