"""Networks that hls4ml wrote equal integer arithmetic in numpy bit by bit, and what it cannot take is one sentence."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn

from lablib.hls import layers
from lablib.hls.engines import Package
from lablib.hls.errors import EngineMissing, HardwareError
from lablib.hls.layers import Network, network_csim

TYPES = {
    "input": {"result": "ap_fixed<8, 2>"},
    "first": {"weight": "ap_fixed<8, 2>", "bias": "ap_fixed<10, 4>", "result": "ap_fixed<10, 4>"},
    "relu": {"result": "ap_fixed<10, 4>"},
    "second": {"weight": "ap_fixed<8, 2>", "bias": "ap_fixed<10, 4>", "result": "ap_fixed<13, 5, AP_RND, AP_SAT>"},
}


class Perceptron(nn.Module):
    """Weights and biases are multiples of 1/64."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu, self.second = nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 4)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randint(-128, 128, parameter.shape, generator=generator) / 64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.relu(self.first(x)))


@pytest.fixture(scope="module")
def network() -> Network:
    return network_csim(Perceptron(), (16,), layers=TYPES)


def raw(tensor: torch.Tensor) -> np.ndarray:
    """The integers behind multiples of 1/64."""
    return np.rint(tensor.detach().double().numpy() * 64).astype(np.int64)


def test_a_perceptron_is_exact_with_types_of_its_own_in_each_layer(network: Network) -> None:
    model = Perceptron()
    x = np.random.default_rng(0).integers(-128, 128, (1000, 16))
    x[:3] = np.array([-128, 127, 0])[:, None]
    sums = x @ raw(model.first.weight).T + (raw(model.first.bias) << 6)
    hidden = ((sums >> 6) + 512) % 1024 - 512  # cut to 6 fraction bits, and wrapped
    assert (hidden != sums >> 6).any(), "some sums wrap"
    sums = np.maximum(hidden, 0) @ raw(model.second.weight).T + (raw(model.second.bias) << 6)
    expected = np.clip((sums + 8) >> 4, -4096, 4095)  # rounded to 8 fraction bits, and saturated
    assert (expected == 4095).any() and (expected == -4096).any(), "some sums saturate"
    assert np.array_equal(network(x / 64) * 256, expected)


def test_layers_say_their_types_and_the_report_that_nothing_is_estimated(network: Network) -> None:
    kinds = {layer.name: (layer.kind, layer.shape, layer.types["result"]) for layer in network.layers}
    assert kinds["first"] == ("Dense", (12,), "ap_fixed<10,4>")
    assert network.layers[1].types["accum"] == "ap_fixed<21,9>", "16 products of 2+6 by 2+6 bits and a bias, exactly"
    assert network.report.latency_cycles is None and "it asks Vitis HLS" in network.report.notes[0]


def test_tensors_give_tensors_and_one_sample_gives_one_result(network: Network) -> None:
    x = torch.rand(5, 16)
    assert torch.equal(network(x)[3], network(x[3])) and network(x[3]).shape == (4,)
    assert np.array_equal(network(x.numpy()), network(x).numpy())
    assert network(np.zeros((0, 16))).shape == (0, 4)


def test_convolutions_keep_torch_s_order_of_axes() -> None:
    model = nn.Sequential(
        nn.Conv2d(2, 3, (3, 2), stride=(1, 2)), nn.ReLU(), nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(24, 5)
    )
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randint(-8, 8, parameter.shape, generator=generator) / 8)
    x = torch.randint(-16, 16, (50, 2, 5, 5), generator=generator) / 8
    wide = "ap_fixed<40, 20>"
    assert torch.equal(network_csim(model, (2, 5, 5), wide)(x), model.double()(x.double()))
    head = model[:2]
    assert torch.equal(network_csim(head.float(), (2, 5, 5), wide)(x), head.double()(x.double())), "an image comes out"


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("model", "shape", "options", "message"),
    [
        (Branching(), (16,), {}, "The forward of Branching depends on values, and hardware cannot: "),
        (Perceptron(), (15,), {}, "Perceptron does not take a sample of shape (15,): mat1 and mat2"),
        (Perceptron(), (16,), {"precision": "float"}, "'float' of precision is no type: expected ap_fixed<16, 6,"),
        (
            Perceptron(),
            (16,),
            {"layers": {"third": {}}},
            "has no module 'third': it has first, input, relu, second.",
        ),
        (Perceptron(), (16,), {"layers": {"first": {"gain": "ap_int<8>"}}}, "Layer first has no 'gain': expected one"),
        (Perceptron(), (16,), {"layers": {"relu": {"weight": "ap_int<8>"}}}, "layer relu has no type for its weight."),
    ],
)
def test_what_is_wrong_is_one_sentence(model: nn.Module, shape: tuple, options: dict, message: str) -> None:
    with pytest.raises(HardwareError, match=re.escape(message)):
        network_csim(model, shape, **options)


@pytest.mark.parametrize("x", [np.zeros(15), np.zeros((2, 4, 4)), np.full(16, np.nan)])
def test_samples_that_do_not_fit_are_refused(network: Network, x: np.ndarray) -> None:
    with pytest.raises(HardwareError, match=r"takes finite values of shape \(batch, 16\): it got shape"):
        network(x)


def test_a_missing_engine_is_named(monkeypatch) -> None:
    monkeypatch.setattr(layers, "HLS4ML", Package("not_there", "hls4ml", "compile HLS C++"))
    with pytest.raises(EngineMissing, match="run pip install hls4ml"):
        network_csim(Perceptron(), (16,))
