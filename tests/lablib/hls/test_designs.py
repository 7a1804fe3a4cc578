"""Each design goes all the way: golden model, simulation, synthesis, place and route; cycles and cells are exact."""

from __future__ import annotations

import numpy as np
import pytest

from lablib.hls.designs.dense_serial import dense_serial
from lablib.hls.designs.dot import dot
from lablib.hls.errors import HardwareError
from lablib.hls.place import place
from lablib.hls.rtlsim import rtlsim
from lablib.hls.synth import gates, synth


def test_a_dot_product_from_numpy_to_a_routed_part() -> None:
    design = dot(4)
    x, w = np.random.default_rng(0).integers(-128, 128, (2, 1000, 4))
    corners = np.array(np.meshgrid([-128, -1, 0, 1, 127], [-128, -1, 0, 1, 127])).reshape(2, -1, 1)
    x[:25], w[:25] = corners
    run = rtlsim(design.verilog, design.top, {"x": x, "w": w})
    assert np.array_equal(run.outputs["y"], design.golden(x, w))
    report = run.report.merged(synth(design.verilog, "dot"), place(design.verilog, "dot"))
    assert (report.latency_cycles, report.ii, report.cycles) == (2, 1.0, design.cycles(1000))
    took = report.resources
    assert (took.ff, took.bram, took.dsp, took.io, took.cells) == (84, 0, 0, 86, 797)
    assert report.fmax_mhz and 60 < report.fmax_mhz < 200


def parameters() -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases of one layer, which is synthesised once for all tests."""
    rng = np.random.default_rng(1)
    weights, bias = rng.integers(-128, 128, (10, 32)), rng.integers(-1000, 1000, 10)
    weights[0], weights[1] = -128, 127
    return weights, bias


@pytest.mark.parametrize("relu", [True, False])
def test_a_dense_layer_from_numpy_to_a_routed_part(relu: bool) -> None:
    x = np.random.default_rng(2).integers(-128, 128, (1000, 32))
    x[0], x[1], x[2] = -128, 127, 0
    design = dense_serial(*parameters(), shift=8, relu=relu)
    for pauses in (0.0, 0.3):
        run = rtlsim(
            design.verilog, design.top, {"x": x.ravel()}, results=10 * len(x), files=design.files, pauses=pauses
        )
        assert np.array_equal(run.outputs["y"].reshape(-1, 10), design.golden(x))
        assert run.report.cycles == design.cycles(1000) or pauses
    if relu:
        took = place(design.verilog, design.top, files=design.files).resources
        assert (took.ff, took.bram, took.dsp, took.io, took.cells) == (98, 2, 0, 22, 491)


def test_what_synthesis_made_computes_the_same_in_as_many_cycles() -> None:
    rng = np.random.default_rng(1)
    x, w = rng.integers(-128, 128, (2, 1000, 2))
    product = dot(2)
    run = rtlsim(gates(product.verilog, "dot"), "dot", {"x": x, "w": w}, elements={"y": "s17"})
    assert np.array_equal(run.outputs["y"][:, 0], product.golden(x, w)) and run.report.cycles == product.cycles(1000)
    layer, x = dense_serial(*parameters(), shift=8), rng.integers(-128, 128, (100, 32))
    mapped = gates(layer.verilog, "dense_serial", files=layer.files)
    run = rtlsim(mapped, "dense_serial", {"x": x.ravel()}, results=1000, elements={"y": "s8"})
    assert np.array_equal(run.outputs["y"].reshape(-1, 10), layer.golden(x))
    assert run.report.cycles == layer.cycles(100)


@pytest.mark.parametrize(("n", "bits"), [(1, 8), (3, 4), (5, 16)])
def test_dot_products_of_other_sizes(n: int, bits: int) -> None:
    x, w = np.random.default_rng(n).integers(-(1 << bits - 1), 1 << bits - 1, (2, 1000, n))
    x[0] = w[0] = -(1 << bits - 1)
    design = dot(n, bits)
    assert np.array_equal(rtlsim(design.verilog, "dot", {"x": x, "w": w}).outputs["y"], design.golden(x, w))


@pytest.mark.parametrize(("rows", "columns", "shift"), [(2, 2, 0), (3, 7, 31), (5, 16, 4)])
def test_dense_layers_of_other_sizes(rows: int, columns: int, shift: int) -> None:
    rng = np.random.default_rng(rows)
    weights, bias = rng.integers(-128, 128, (rows, columns)), rng.integers(-(2**23), 2**23, rows)
    x = rng.integers(-128, 128, (200, columns))
    design = dense_serial(weights, bias, shift, relu=False)
    run = rtlsim(design.verilog, "dense_serial", {"x": x.ravel()}, results=200 * rows, files=design.files)
    assert np.array_equal(run.outputs["y"].reshape(-1, rows), design.golden(x))
    assert run.report.cycles == design.cycles(200)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((1, 4), int), np.zeros(1, int), 0), r"both at least 2, and N biases: it got \(1, 4\) and \(1,\)"),
        ((np.full((2, 4), 128), np.zeros(2, int), 0), "integers of 8 bits as weights: it got int64 from 128 to 128"),
        ((np.zeros((2, 4), int), np.zeros(2), 0), "integers of 24 bits as bias: it got float64"),
        ((np.zeros((2, 4), int), np.zeros(2, int), 32), "shifts by 0 to 31 bits: it got 32"),
    ],
)
def test_layers_that_do_not_fit_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(HardwareError, match=message):
        dense_serial(*arguments)
