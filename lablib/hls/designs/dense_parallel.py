"""A dense layer that takes an input vector every cycle, built by a compiler.

`dense_xls` gives XLS a multiplier for each weight and lets it cut the pipeline; `dense_da` gives da4ml the weights,
which it turns into additions and shifts. Same layer, same golden model, same II: they differ in latency and logic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from lablib.hls.da import da_dense
from lablib.hls.designs import Design
from lablib.hls.designs.dense import DenseLayer, dense_dslx, dense_reference
from lablib.hls.xls import xls_function
from lablib.hls.xls_schedule import schedule

__all__ = ["dense_da", "dense_xls"]


def dense_xls(layer: DenseLayer, stages: int = 2) -> Design:
    """A dense layer as a pipeline that XLS makes from DSLX: latency ``stages + 1``, II 1.

    Parameters
    ----------
    layer
        Weights and types.
    stages
        Pipeline stages.

    Raises
    ------
    EngineMissing, HardwareError, ToolTimeout
        As `lablib.hls.xls_schedule.schedule`.

    Examples
    --------
    >>> design = dense_xls(DenseLayer(np.array([[1, 2], [-3, 4]])))
    >>> design.simulate([[5, 1], [0, 2]]).outputs["out"].tolist(), design.latency
    ([[7, -11], [4, 8]], 3)
    """
    source = dense_dslx(layer)
    function = xls_function(source, "dense")
    found = schedule(function, stages=stages)
    return _design(layer, found.verilog, found.stages + 1, source, function)


def dense_da(layer: DenseLayer, adders_per_stage: int = 3) -> Design:
    """A dense layer without multipliers, by da4ml: II 1. Its software is da4ml's own graph; there is no source.

    Raises
    ------
    EngineMissing, HardwareError, ToolTimeout
        As `lablib.hls.da.da_dense`.

    Examples
    --------
    >>> dense_da(DenseLayer(np.array([[1, 2], [-3, 4]]))).software([[5, 1]])
    array([[  7, -11]])
    """
    found = da_dense(layer, adders_per_stage)
    return _design(layer, found.verilog, found.stages + 1, "", found)


def _design(layer: DenseLayer, verilog: str, latency: int, source: str, software: Callable[..., np.ndarray]) -> Design:
    rows, columns = layer.weights.shape
    return Design(
        "dense",
        verilog,
        golden=partial(dense_reference, layer),
        software=software,
        source=source,
        inputs={"x": replace(layer.inputs, shape=(columns,))},
        output=("out", replace(layer.outputs, shape=(rows,))),
        latency=latency,
        ii=1,
    )
