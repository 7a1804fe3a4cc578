from __future__ import annotations

import numpy as np
import pytest
import torch

from lablib import viz


def causal(layers: int, heads: int, T: int) -> torch.Tensor:
    later = torch.ones(T, T, dtype=torch.bool).triu(1)
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(layers, heads, T, T, generator=generator)
    return torch.softmax(scores.masked_fill(later, float("-inf")), dim=-1)


def test_a_step_a_layer_and_a_panel_a_head():
    maps = causal(2, 3, 4)
    figure = viz.attention_maps(maps, ["a", " ", "b", "\n"]).figure
    assert [step.label for step in figure.layout.sliders[0].steps] == ["1", "2"]
    assert [len(frame.data) for frame in figure.frames] == [3, 3]
    shown = np.array(figure.frames[1].data[2].z, dtype=float)
    np.testing.assert_allclose(np.nan_to_num(shown), maps[1, 2].numpy(), atol=1e-6)
    assert np.isnan(shown[0, 1]), "what no place may take from stays empty"
    assert list(figure.layout.xaxis.ticktext) == ["a", "·", "b", "¶"]
    assert figure.data[0].text[2][2].startswith("'b' takes ") and figure.data[0].text[0][2] == ""


def test_heads_stand_in_rows_of_two_inside_the_card():
    layout = viz.attention_maps(causal(1, 4, 17), "She was not to be").figure.layout
    assert layout.xaxis.domain == layout.xaxis3.domain and layout.xaxis2.domain[1] <= 1
    assert layout.yaxis3.domain[1] < layout.yaxis.domain[0] and layout.yaxis3.domain[0] >= 0


def test_the_summary_says_how_far_back_each_head_looks():
    three = np.diag([1.0, 1.0], -1) + np.diag([1.0, 0, 0])
    itself = np.eye(3)
    picture = viz.attention_maps(np.stack([three, itself])[None], "abc")
    expected = "Layer 1: head 1 looks 1 back (67%), head 2 looks at itself (100%)."
    assert picture.summary == f"Attention, most weight by distance. {expected}"


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match=r"shape \(layers, heads, 3, 3\), got \(1, 1, 2, 2\)"):
        viz.attention_maps(causal(1, 1, 2), "abc")
    with pytest.raises(ValueError, match="adds up to 1"):
        viz.attention_maps(torch.zeros(1, 1, 3, 3), "abc")
