"""The digits network: hardware, integer model and float model on every held-out image, and its place on the part."""

from __future__ import annotations

import numpy as np
import torch

from lablib.hls.designs.dense import dense_reference
from lablib.hls.designs.digits import digits, digits_network, quantised
from lablib.hls.designs.train_digits import HELD_OUT, outputs
from lablib.hls.parts import part_of

CYCLES = 64 + 64 * 32 + 32 * 10 + 2 * 4


def test_quantisation_costs_no_image() -> None:
    data = digits()
    floats = data.float_logits(data.images).argmax(axis=-1)
    integers = digits_network().golden(data.images).argmax(axis=-1)
    right = {"float": int((floats == data.labels).sum()), "int8": int((integers == data.labels).sum())}
    assert len(data.images) == HELD_OUT == 360
    assert right == data.log["right of the held out"] == {"float": 358, "int8": 358}


def test_the_script_and_the_package_have_the_same_float_network() -> None:
    data = digits()
    (first, b), (second, c) = ((torch.from_numpy(w), torch.from_numpy(v)) for w, v in data.parameters)
    hidden = torch.relu(torch.nn.functional.linear(torch.from_numpy(data.images).float() / 16, first, b))
    expected = torch.nn.functional.linear(hidden, second, c).numpy()
    assert np.allclose(data.float_logits(data.images), expected, atol=1e-4)
    assert np.allclose(outputs(data.parameters, data.images)[-1], expected, atol=1e-4)


def test_integer_logits_are_close_to_the_float_ones() -> None:
    data = digits()
    error = digits_network().golden(data.images) / 2.0 ** data.value_bits[-1] - data.float_logits(data.images)
    assert np.abs(error).max() < 0.5  # of logits of up to 29, in steps of 0.25


def test_every_held_out_image_in_hardware_on_its_part() -> None:
    data, design = digits(), digits_network()
    logits = design.golden(data.images)
    assert np.array_equal(design.software(data.images), logits)
    run = design.simulate(data.images)
    assert np.array_equal(run.outputs["y"], logits)
    assert np.array_equal(run.outputs["y"].argmax(axis=-1), logits.argmax(axis=-1))
    assert run.report.cycles == design.cycles(360) == 360 * CYCLES
    report = run.report.merged(design.place("hx8k"))
    assert (report.latency_cycles, report.ii) == (CYCLES, CYCLES)
    took, capacity = report.resources, part_of("hx8k").capacity
    assert (took.ff, took.bram, took.dsp, took.io, took.cells) == (155, 6, 0, 22, 536)
    assert capacity.cells == 7680 and capacity.bram == 32
    # Weights take five block RAMs, values one. 74 MHz in the version that was tested.
    assert report.fmax_mhz and 60 < report.fmax_mhz < 100
    assert report.latency_ns and report.latency_ns < 41_000


def test_eight_multipliers_read_the_same_digits_in_a_sixth_of_the_cycles() -> None:
    data, design = digits(), digits_network(macs=8)
    run = design.simulate(data.images)
    assert np.array_equal(run.outputs["y"], design.golden(data.images))
    assert run.report.cycles == design.cycles(360) == 360 * (64 + 64 * 4 + 32 * 2 + 2 * 3 + 8 + 2)


def test_quantisation_rounds_to_nearest() -> None:
    rng = np.random.default_rng(0)
    weights, bias, x = rng.normal(0, 0.3, (5, 9)), rng.normal(0, 0.5, 5), rng.integers(0, 17, (200, 9))
    (layer,) = quantised(((weights, bias),), [4, 5])
    sums = (x @ layer.weights.T + np.asarray(layer.bias) - (1 << layer.shift - 1)) / (1 << layer.shift)
    assert np.array_equal(dense_reference(layer, x), np.clip(np.floor(sums + 0.5), -128, 127))


def test_another_file_is_read_like_ones_own(tmp_path) -> None:
    shipped = digits()
    arrays = {f"weights{i}": weights for i, (weights, _) in enumerate(shipped.parameters)}
    arrays |= {f"bias{i}": bias for i, (_, bias) in enumerate(shipped.parameters)}
    few = {"value_bits": np.array(shipped.value_bits), "images": shipped.images[:3], "labels": shipped.labels[:3]}
    np.savez(tmp_path / "few.npz", **arrays, **few, log=np.array("{}"))
    found = digits(tmp_path / "few.npz")
    assert found.images.shape == (3, 64) and found.log == {}
    for one, other in zip(found.layers, shipped.layers, strict=True):
        np.testing.assert_array_equal(one.weights, other.weights)
        np.testing.assert_array_equal(one.bias, other.bias)
