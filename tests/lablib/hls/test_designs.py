"""Each design goes all the way: golden model, software, simulation, synthesis, place and route; cycles are exact."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from lablib.hls.bits import BitsType
from lablib.hls.designs import Design
from lablib.hls.designs.conv2d import conv2d
from lablib.hls.designs.dense import DenseLayer
from lablib.hls.designs.dense_parallel import dense_da, dense_xls
from lablib.hls.designs.dense_serial import dense_serial
from lablib.hls.designs.digits import digits_network
from lablib.hls.designs.dot import dot, mac
from lablib.hls.designs.network import network
from lablib.hls.designs.softmax import softmax
from lablib.hls.designs.systolic import systolic
from lablib.hls.errors import HardwareError
from lablib.hls.report import Report
from lablib.hls.synth import gates


def layer(rows: int, columns: int, shift: int, relu: bool = True, bias: int = 1000) -> DenseLayer:
    """Random weights, and a row each of the lowest and the highest."""
    rng = np.random.default_rng(1)
    weights = rng.integers(-128, 128, (rows, columns))
    weights[0], weights[1] = -128, 127
    return DenseLayer(weights, rng.integers(-bias, bias, rows), shift, relu)


def three_layers() -> list[DenseLayer]:
    return [layer(5, 7, 8), layer(9, 5, 7, relu=False), layer(2, 9, 9)]


def image_filter(size: int, height: int, width: int, **options: int) -> Design:
    """A convolution with random weights, and the corners among them."""
    weights = np.random.default_rng(3).integers(-128, 128, (size, size))
    weights[0, 0], weights[-1, -1] = -128, 127
    return conv2d(weights, height, width, **options)


def vectors(design: Design, count: int = 1000) -> list[np.ndarray]:
    """Random inputs, headed by every combination of corner values."""
    rng = np.random.default_rng(2)
    kinds = list(design.inputs.values())
    given = [rng.integers(kind.low, kind.high + 1, (count, *kind.shape)) for kind in kinds]
    corners = [sorted({kind.low, max(kind.low, -1), 0, 1, kind.high}) for kind in kinds]
    for row, values in enumerate(itertools.product(*corners)):
        for array, value in zip(given, values, strict=True):
            array[row] = value
    return given


def simulated(design: Design, count: int = 1000) -> Report:
    """Check that the Verilog equals the golden model, in the cycles that are foretold, and with pauses."""
    given = vectors(design, count)
    expected = design.golden(*given)
    run = design.simulate(*given)
    assert np.array_equal(run.outputs[design.output[0]], expected)
    assert (run.report.latency_cycles, run.report.ii) == (design.latency, design.ii)
    assert run.report.cycles == design.cycles(count)
    assert not run.report.notes  # Verilator has no doubts about its text
    slow = [array[:100] for array in given]
    assert np.array_equal(design.simulate(*slow, pauses=0.3).outputs[design.output[0]], expected[:100])
    return run.report


DESIGNS: dict[str, tuple[Callable[[], Design], dict[str, int]]] = {
    "dot": (lambda: dot(4), {"ff": 84, "bram": 0, "dsp": 0, "io": 86, "cells": 797}),
    "mac": (lambda: mac(8), {"ff": 42, "bram": 0, "dsp": 0, "io": 39, "cells": 226}),
    "dense_serial": (
        lambda: dense_serial(layer(10, 32, shift=8)),
        {"ff": 98, "bram": 2, "dsp": 0, "io": 22, "cells": 491},
    ),
    "dense_xls": (
        lambda: dense_xls(layer(2, 4, shift=7)),
        {"ff": 113, "bram": 0, "dsp": 0, "io": 52, "cells": 315},
    ),
    "dense_da": (
        lambda: dense_da(layer(4, 8, shift=7)),
        {"ff": 234, "bram": 0, "dsp": 0, "io": 100, "cells": 790},
    ),
    "conv2d": (
        lambda: image_filter(3, 8, 8, bias=300, shift=9, relu=True),
        {"ff": 287, "bram": 1, "dsp": 0, "io": 22, "cells": 956},
    ),
    "softmax": (lambda: softmax(10), {"ff": 142, "bram": 2, "dsp": 0, "io": 30, "cells": 902}),
    "network": (digits_network, {"ff": 155, "bram": 6, "dsp": 0, "io": 22, "cells": 536}),
    "systolic": (
        lambda: systolic(4, 8, bits=4),  # designs/test_systolic.py places that of int8, which takes long
        {"ff": 370, "bram": 0, "dsp": 0, "io": 82, "cells": 1149},
    ),
}
"""By name a design, and what it takes of an iCE40 HX8K."""


@pytest.mark.parametrize("name", DESIGNS)
def test_from_numpy_to_a_routed_part(name: str) -> None:
    make, takes = DESIGNS[name]
    design = make()
    with ThreadPoolExecutor() as pool:  # the first time, tools run for seconds, each on a core
        placed = pool.submit(design.place)
        given = vectors(design)
        assert np.array_equal(design.software(*given), design.golden(*given))
        report = simulated(design).merged(placed.result())
    found = {kind: getattr(report.resources, kind) for kind in ("ff", "bram", "dsp", "io", "cells")}
    assert found == takes
    assert report.fmax_mhz is not None and 40 < report.fmax_mhz < 250
    assert report.ii == pytest.approx(design.ii)
    assert report.latency_ns == pytest.approx(1e3 * design.latency / report.fmax_mhz)


OTHER_SIZES: dict[str, Callable[[], Design]] = {
    "dot of one": lambda: dot(1),
    "dot of 5, 16 bits": lambda: dot(5, 16),
    "mac of two": lambda: mac(2),
    "mac of 5, 16 bits": lambda: mac(5, 16),
    "smallest dense": lambda: dense_serial(layer(2, 2, shift=0, relu=False)),
    "dense of odd sizes": lambda: dense_serial(layer(3, 7, shift=20, relu=False, bias=2**23)),
    "smallest image": lambda: image_filter(2, 2, 2),
    "image of odd sizes": lambda: image_filter(5, 7, 11, bias=-3000, shift=11),
    "smallest softmax": lambda: softmax(2, 7),
    "softmax of 13": lambda: softmax(13, 0),
    "one layer": lambda: network([layer(2, 2, shift=8)]),
    "three layers": lambda: network(three_layers()),
    "three layers on two multipliers": lambda: network(three_layers(), macs=2),
    "as many multipliers as inputs": lambda: network(three_layers(), macs=5),
    "smallest array": lambda: systolic(2, 2),
    "array of odd sizes": lambda: systolic(3, 5),
}


@pytest.mark.parametrize("name", OTHER_SIZES)
def test_other_sizes(name: str) -> None:
    simulated(OTHER_SIZES[name](), count=200)


def test_a_batch_has_any_shape() -> None:
    serial = dense_serial(layer(3, 7, shift=20, relu=False, bias=2**23))
    x = np.random.default_rng(0).integers(-128, 128, (2, 3, 7))
    assert np.array_equal(serial.simulate(x).outputs["y"], serial.golden(x))
    alone = serial.simulate(x[0, 0])
    assert np.array_equal(alone.outputs["y"], serial.golden(x[0, 0])) and alone.report.ii is None
    assert alone.report.cycles == serial.cycles(1) == serial.latency
    with pytest.raises(HardwareError, match="at least one"):
        serial.simulate(x[:0])


@pytest.mark.parametrize("name", ["dot", "network"])
def test_what_synthesis_made_computes_the_same_in_as_many_cycles(name: str) -> None:
    design = DESIGNS[name][0]()
    given = [array[:20] for array in vectors(design)]
    mapped = gates(design.verilog, design.top, files=design.files)
    run = replace(design, verilog=mapped, files={}).simulate(*given)
    assert np.array_equal(run.outputs["y"], design.golden(*given))
    assert run.report.cycles == design.cycles(20)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dot(0), "dot takes at least 1 element of 2 to 16 bits: it got 0 of 8."),
        (lambda: mac(4, 17), "mac takes at least 2 elements of 2 to 16 bits: it got 4 of 17."),
        (lambda: dense_serial(DenseLayer(np.ones((1, 4), int))), "at least 2 outputs and 2 inputs: it got 1 and 4."),
        (lambda: dense_serial(DenseLayer(np.full((2, 4), 128))), "weights of 8 bits, .* go from 128 to 128."),
        (lambda: dense_serial(DenseLayer(np.ones((2, 4), int), np.array([0, 2**23]))), "biases of 24 bits"),
        (
            lambda: dense_serial(DenseLayer(np.ones((2, 4), int), outputs=BitsType(4, True))),
            "takes s8 and gives s8: the layer has s8 and s4.",
        ),
        (lambda: conv2d(np.ones((1, 3), int), 8, 8), r"shape \(k, k\), k from 2 to 7: it got \(1, 3\)."),
        (lambda: conv2d(np.ones((3, 3), int), 2, 8), "images of 3 to 1024 rows and columns: it got 2 by 8."),
        (lambda: conv2d(np.ones((3, 3), int), 8, 8, bias=2**23), "biases of 24 bits"),
        (lambda: softmax(1), "2 to 256 logits with 0 to 7 bits behind the binary point: it got 1 with 4."),
        (lambda: network([]), r"2 to 65535 inputs and outputs: it got \[\] and \[\]."),
        (lambda: network([layer(2, 3, 1), layer(3, 3, 1)]), "Layer 0 gives 2 values, and layer 1 takes 3."),
        (lambda: network(three_layers(), macs=6), "1 to 32 multipliers, no more than a layer has inputs: it got 6."),
        (lambda: systolic(1), "2 to 16 rows of cells, a depth of 2 to 4096 and 2 to 16 bits: it got 1, 8 and 8."),
        (lambda: dot(2).simulate([[1, 2]]), "dot takes x, w: it got 1 arrays."),
        (lambda: dot(2).simulate([[1, 2]], [[1, 200]]), r"w\[0, 1\] is 200: s8\[2\] takes -128 to 127 only"),
    ],
)
def test_what_does_not_fit_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(HardwareError, match=message):
        make()
