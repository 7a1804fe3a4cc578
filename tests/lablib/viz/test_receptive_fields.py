from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lablib import viz
from lablib.viz.receptive_fields import _axis_paths, _seen


@pytest.mark.parametrize(
    "layers", [[(3, 1, 1)], [(3, 2, 1), (3, 1, 1)], [(5, 2, 2), (3, 2, 1), (3, 2, 1)], [(2, 2, 0), (3, 3, 0)]]
)
def test_paths_are_what_autograd_counts(layers):
    stack = nn.Sequential(*(nn.Conv1d(1, 1, k, s, p, bias=False) for k, s, p in layers))
    for convolution in stack:
        nn.init.ones_(convolution.weight)
    x = torch.zeros(1, 1, 20, requires_grad=True)
    y = stack(x)[0, 0]
    y[len(y) // 2].backward()
    assert x.grad is not None
    np.testing.assert_array_equal(_axis_paths(layers, 20), x.grad[0, 0].numpy())


def test_a_step_a_layer_and_a_panel_a_frame():
    layers = [{"name": f"conv{i}", "kernel": (3, 3, 3), "stride": (1, 1, 1)} for i in (1, 2)]
    figure = viz.receptive_field(layers, (6, 8, 8)).figure
    assert [step.label for step in figure.layout.sliders[0].steps] == ["1 conv1", "2 conv2"]
    seen = [[bool(np.any(panel.customdata)) for panel in frame.data] for frame in figure.frames]
    assert seen == [[False, False, True, True, True, False], [False, True, True, True, True, True]]
    assert figure.frames[0].data[3].customdata[4, 4] == 1 and figure.frames[1].data[3].customdata[4, 4] == 27
    subtitle = figure.frames[1].layout.title.subtitle.text.replace("<br>", " ")
    assert subtitle.startswith("2 layers, the last conv2 3 x 3 x 3: 5 of 6 frames, 5 of 8 rows, 5 of 8 columns")


def test_frames_stand_in_rows_and_inside_the_card():
    layer = {"name": "pool", "kernel": (1, 2, 2), "stride": (1, 2, 2), "padding": (0, 0, 0)}
    layout = viz.receptive_field([layer], (6, 16, 16)).figure.layout
    assert layout.xaxis.domain == layout.xaxis4.domain and layout.xaxis3.domain[1] <= 1
    assert layout.yaxis4.domain[1] < layout.yaxis.domain[0] and layout.yaxis4.domain[0] >= 0


def test_a_kernel_with_gaps_still_reaches_from_its_first_to_its_last_place():
    assert _seen([np.array([0, 1, 0, 1, 0])]) == [3]


def test_what_cannot_be_drawn_is_refused():
    layer = {"name": "conv", "kernel": (3, 3), "stride": (1, 1)}
    with pytest.raises(ValueError, match="needs a layer"):
        viz.receptive_field([], (8, 8))
    with pytest.raises(ValueError, match=r"'conv' has kernel \(3, 3\).*needs 3 numbers"):
        viz.receptive_field([layer], (4, 8, 8))
