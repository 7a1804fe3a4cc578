"""What a layer is given, times its weights, is what it computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lablib.compress.calibration import layer_inputs
from lablib.models.gpt import GPT
from lablib.models.vit import ViT


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 5, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
        nn.Conv2d(3, 4, 1),
        nn.Conv2d(3, 4, 4, 4),
    ],
)
def test_windows_times_filters_are_the_convolution(layer: nn.Conv2d) -> None:
    x = torch.randn(2, 3, 9, 8)
    rows = layer_inputs(nn.Sequential(layer), ["0"], x)["0"]
    y = nn.functional.linear(rows, layer.weight.flatten(1), layer.bias)
    torch.testing.assert_close(y, layer(x).permute(0, 2, 3, 1).flatten(0, 2))


def test_tokens_of_all_kinds_are_rows() -> None:
    found = layer_inputs(GPT(), ["blocks.0.attention.qkv", "blocks.3.mlp.2"], torch.zeros(2, 7, dtype=torch.int64))
    assert {path: tuple(x.shape) for path, x in found.items()} == {
        "blocks.0.attention.qkv": (14, 128), "blocks.3.mlp.2": (14, 512),
    }  # fmt: skip
    assert layer_inputs(ViT(), ["head"], torch.zeros(3, 1, 28, 28))["head"].shape == (3, 64)


def test_a_layer_that_runs_twice_has_the_rows_of_both() -> None:
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, layer)
    x = torch.randn(3, 2)
    torch.testing.assert_close(layer_inputs(model, ["0"], x)["0"], torch.cat([x, layer(x)]))
    assert not layer._forward_pre_hooks, "hooks stay behind"


def test_other_layers_are_refused_in_a_sentence() -> None:
    model = nn.Sequential(nn.ReLU(), nn.Linear(2, 2))
    with pytest.raises(ValueError, match="'0' is no linear layer or convolution without groups; try 1"):
        layer_inputs(model, ["1", "0"], torch.zeros(1, 2))
    assert not model[1]._forward_pre_hooks, "hooks stay behind"
    gpt = GPT()
    gpt.spare = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="'spare' did not run"):
        layer_inputs(gpt, ["spare"], torch.zeros(1, 2, dtype=torch.int64))
    for options in ({"padding": "same"}, {"padding": 1, "padding_mode": "reflect"}):
        with pytest.raises(
            ValueError, match=f"must be a number of zeros, not that of Conv2d.*{[*options.values()][-1]}"
        ):
            layer_inputs(nn.Sequential(nn.Conv2d(1, 1, 3, **options)), ["0"], torch.zeros(1, 1, 4, 4))
