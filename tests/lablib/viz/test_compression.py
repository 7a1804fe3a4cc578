"""Singular values against rank, and the mask that a threshold leaves: their numbers are those of a small case."""

from __future__ import annotations

import numpy as np
import pytest

from lablib import viz

SPECTRA = {"wide": ([2.0, 1.0, 1.0], (3, 6)), "square": ([1.0, 1.0], (2, 2))}
LAYERS = {"a": [[0.1, -0.4], [0.3, 0.0]], "b": np.array([[[0.5]], [[-0.6]]])}


def test_a_curve_has_the_energy_and_the_cost_of_each_rank() -> None:
    picture = viz.energy_spectrum(SPECTRA, [0.5, 0.6])
    curves = {trace.name: trace for trace in picture.figure.data if trace.name}
    np.testing.assert_allclose(curves["wide, 3 x 6"].y, [4 / 6, 5 / 6, 1])
    np.testing.assert_allclose(curves["wide, 3 x 6"].x, [0.5, 1, 1.5])
    assert picture.summary == (
        "To keep 60% of the energy: wide rank 1 of 3 (50% of its numbers), square rank 2 of 2 (200% of its numbers)."
    )


def test_a_mark_moves_with_the_energy_and_stands_where_it_is_first_kept() -> None:
    picture = viz.energy_spectrum(SPECTRA, [0.5, 0.7, 0.99])
    marks = [[(m.x[0], m.text[0].strip()) for m in frame.data[1:]] for frame in picture.figure.frames]
    assert marks == [[(0.5, "1"), (1.0, "1")], [(1.0, "2"), (2.0, "2")], [(1.5, "3"), (2.0, "2")]]
    subtitles = [frame.layout.title.subtitle.text for frame in picture.figure.frames]
    assert "At 50% of the energy, 1 of 2 layers have smaller factors: wide." in subtitles[0]
    assert "0 of 2 layers have smaller factors." in subtitles[2]


def test_a_threshold_keeps_the_largest_of_all_layers() -> None:
    picture = viz.pruning_mask(LAYERS, "a", [0.5, 1.0])
    assert picture.summary == (
        "Kept 50% of all weights, those from 0.4 up: least in a (25%), most in b (100%); "
        "100% of all weights, those from 0 up: least in a (100%), most in b (100%)."
    )
    first, second = picture.figure.frames
    assert first.data[3].z.tolist() == [[0, 1], [0, 0]] and second.data[3].z.tolist() == [[1, 1], [1, 1]]
    assert list(first.data[2].x) == [0.25, 1.0] and list(first.data[1].x) == [0.4, 0.4]


def test_what_is_cut_is_hatched_and_every_weight_is_in_a_bar() -> None:
    histogram = viz.pruning_mask(LAYERS, "b", [0.5]).figure.frames[0].data[0]
    assert sum(histogram.y) == 6
    cut = [shape == "/" for shape in histogram.marker.pattern.shape]
    assert cut == [x < 0.4 for x in histogram.x]


def test_bad_arguments_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="has no layer 'c' to show; there are a, b"):
        viz.pruning_mask(LAYERS, "c")
    with pytest.raises(ValueError, match="shares must be above 0 and at most 1"):
        viz.pruning_mask(LAYERS, "a", [0.0])
    with pytest.raises(ValueError, match="energies must be above 0 and below 1"):
        viz.energy_spectrum(SPECTRA, [1.0])
    with pytest.raises(ValueError, match="has 2 singular values, from the largest down; got 3"):
        viz.energy_spectrum({"a": ([1.0, 2.0, 3.0], (2, 2))})
    with pytest.raises(ValueError, match="draws 1 to 6 layers, got 0"):
        viz.energy_spectrum({})
