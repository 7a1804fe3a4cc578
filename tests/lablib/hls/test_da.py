"""A dense layer without multipliers: da4ml's graph and its Verilog equal the numpy model."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from lablib.hls import da
from lablib.hls.bits import BitsType
from lablib.hls.da import DaDense, da_dense
from lablib.hls.designs.dense import DenseLayer, dense_reference
from lablib.hls.errors import EngineMissing, HardwareError
from lablib.hls.rtlsim import rtlsim


def weights(outputs: int, inputs: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 128, (outputs, inputs))


def with_constants() -> tuple[np.ndarray, np.ndarray]:
    """Outputs that are constant: zero, in range, far above and far below."""
    w, b = weights(8, 16), np.arange(8)
    w[:4], b[:4] = 0, (0, 300, 10**7, -(10**7))
    return w, b


def vectors(design: DaDense, count: int = 1000) -> np.ndarray:
    kind = design.inputs
    x = np.random.default_rng(1).integers(kind.low, kind.high + 1, (count, *kind.shape))
    x[:3] = np.array([kind.low, kind.high, 0])[:, None]
    return x


LAYERS = {
    "int8 with relu": DenseLayer(weights(8, 16), np.arange(-500, 300, 100), shift=8, relu=True),
    "constant outputs": DenseLayer(*with_constants(), shift=4),
    "narrow types": DenseLayer(
        *with_constants(), shift=7, relu=True, inputs=BitsType(3, False), outputs=BitsType(5, False)
    ),
    "exact sums": DenseLayer(weights(3, 5), inputs=BitsType(4, True), outputs=BitsType(16, True)),
    "one bit": DenseLayer(weights(2, 3), relu=True, inputs=BitsType(1, True), outputs=BitsType(1, False)),
    "even weights": DenseLayer(2 * weights(3, 4), shift=1),
    "nothing": DenseLayer(np.zeros((2, 3), int)),
    "one": DenseLayer(np.array([[7]])),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_graph_equals_numpy(name: str) -> None:
    layer = LAYERS[name]
    design = da_dense(layer)
    x = vectors(design)
    assert np.array_equal(design(x), dense_reference(layer, x))


@pytest.mark.parametrize("name", ["int8 with relu", "constant outputs", "narrow types", "nothing"])
def test_the_verilog_equals_numpy_with_its_latency_and_ii_1(name: str) -> None:
    layer = LAYERS[name]
    design = da_dense(layer)
    x = vectors(design)
    kind = design.outputs
    run = rtlsim(design.verilog, design.name, {"x": x}, elements={"out": f"{'s' if kind.signed else 'u'}{kind.bits}"})
    assert np.array_equal(run.outputs["out"], dense_reference(layer, x))
    assert run.report.ii == design.report.ii == 1
    assert run.report.latency_cycles == design.report.latency_cycles == design.stages + 1


def test_there_is_no_multiplier_and_the_estimate_says_so() -> None:
    design = da_dense(LAYERS["int8 with relu"])
    code = re.sub(r"//.*|/\*.*?\*/|@ ?\(\*\)|@\*", "", design.verilog)
    assert "*" not in code and "lookup_table" not in code and "multiplier" not in code
    resources = design.report.resources
    assert design.report.estimated and resources.dsp == 0 and resources.bram is None
    assert resources.lut is not None and 1500 < resources.lut < 3000
    assert resources.ff is not None and resources.ff > 500


def test_fewer_additions_a_clock_take_more_stages() -> None:
    layer = LAYERS["int8 with relu"]
    stages = [da_dense(layer, adders_per_stage=n).stages for n in (1, 3, 20)]
    assert stages[0] > stages[1] > stages[2] == 1
    assert da_dense(layer).depth == stages[0]


def test_the_batch_has_any_shape() -> None:
    layer = LAYERS["exact sums"]
    design, x = da_dense(layer), np.arange(-8, 7).reshape(1, 3, 5)
    assert np.array_equal(design(x), dense_reference(layer, x))
    assert design(x[0, 0]).shape == (3,) and design(np.empty((0, 5), int)).shape == (0, 3)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([8, 0, 0, 0, 0], "x[0] is 8: s4[5] takes -8 to 7 only."),
        ([0, 0, 0], "x has type s4[5]: expected shape (…, 5), got shape (3,)."),
        ([0.5] * 5, "x has type s4[5]: expected integers, got float64."),
    ],
)
def test_a_value_that_does_not_fit_is_refused(x: list, message: str) -> None:
    with pytest.raises(HardwareError) as refused:
        da_dense(LAYERS["exact sums"])(x)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adders_per_stage": 0}, "adders_per_stage is a whole number from 1, got 0"),
        ({"name": "a b"}, "'a b' is no name for a Verilog module"),
    ],
)
def test_bad_options_get_a_sentence(options: dict, message: str) -> None:
    with pytest.raises(HardwareError, match=message):
        da_dense(LAYERS["one"], **options)


def test_without_the_engine_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(da, "DA4ML", dataclasses.replace(da.DA4ML, module="da4ml_is_not_here"))
    with pytest.raises(EngineMissing, match="run pip install da4ml"):
        da_dense(LAYERS["one"])
