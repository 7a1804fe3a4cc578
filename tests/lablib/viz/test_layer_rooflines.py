from __future__ import annotations

import numpy as np
import pytest

from lablib import viz

GPU = {"name": "GPU", "flops_per_s": 1e14, "bytes_per_s": 1e12}
FC = {"layer": "fc", "flops": 2e6, "weight_bytes": 2e6, "activation_bytes": 4e3}
CONV = {"layer": "conv", "flops": 4e6, "weight_bytes": 1e3, "activation_bytes": 1e6}


def test_a_batch_moves_each_layer_by_what_it_reads_once():
    figure = viz.layer_roofline({"A": [FC, CONV], "B": [FC]}, GPU, [1, 10]).figure
    np.testing.assert_allclose(figure.data[0].x, [2e6 / 2.004e6, 4e6 / 1.001e6])
    np.testing.assert_allclose(figure.frames[1].data[0].x, [2e7 / 2.04e6, 4e7 / 1.0001e7])
    np.testing.assert_allclose(figure.data[0].y, np.array(figure.data[0].x))  # 1 TB/s, in TFLOP/s
    assert [trace.name for trace in figure.frames[1].data] == ["A", "B"]
    assert figure.data[0].marker.symbol != figure.data[1].marker.symbol


def test_a_layer_right_of_the_ridge_lies_on_the_flat_roof_and_is_counted():
    picture = viz.layer_roofline({"A": [FC, CONV]}, GPU, [1, 1000])
    assert picture.figure.frames[1].data[0].y[0] == 100
    assert picture.summary == (
        "GPU: ridge at 100 FLOP/byte. Layers to the right of it at batch 1: A 0 of 2; at batch 1000: A 1 of 2."
    )
    assert picture.figure.frames[1].layout.title.subtitle.text == "Right of the ridge at batch 1000: A 1 of 2."


@pytest.mark.parametrize(
    ("models", "batches", "sentence"),
    [
        ({}, [1], "needs a layer in each model"),
        ({"A": [FC]}, [], "batches from 1 up"),
        ({"A": [{"layer": "fc", "flops": 1}]}, [1], "has no 'weight_bytes'"),
        ({"A": [{**FC, "flops": 0}]}, [1], "leave out layers without a product"),
    ],
)
def test_what_cannot_be_drawn_is_refused(models, batches, sentence):
    with pytest.raises(ValueError, match=sentence):
        viz.layer_roofline(models, GPU, batches)
    with pytest.raises(ValueError, match="positive bytes_per_s"):
        viz.layer_roofline({"A": [FC]}, {**GPU, "bytes_per_s": 0})
