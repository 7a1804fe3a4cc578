"""Runs hls4ml, and the networks that it wrote, in processes of their own: either can be stopped, or crash alone.

Started as a script with a request in JSON on its standard input; it reads and writes files in its folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def convert(task: dict[str, Any]) -> None:
    """`model.pt` to a C++ project, and `layers.json`."""
    import torch
    from hls4ml.converters import convert_from_pytorch_model
    from hls4ml.utils import config_from_pytorch_model

    model: Any = torch.load("model.pt", weights_only=False)
    config = config_from_pytorch_model(
        model, tuple(task["shape"]), granularity="name", default_precision=task["precision"],
        channels_last_conversion="internal", backend="Vitis",
    )  # fmt: skip
    for name, types in task["layers"].items():
        found = next(iter(config["LayerName"])) if name == "input" else name
        precision = config["LayerName"].get(found, {}).get("Precision", {})
        missing = set(types) - set(precision)
        if missing:
            raise ValueError(f"layer {name} has no type for its {min(missing)}")
        precision.update(types)
    written = convert_from_pytorch_model(
        model, hls_config=config, output_dir=".", project_name="network", io_type="io_parallel",
        write_weights_txt=False, backend="Vitis",
    )  # fmt: skip
    written.write()
    Path("layers.json").write_text(json.dumps([_layer(one) for one in written.get_layers()]))


def _layer(layer: Any) -> dict[str, Any]:
    variable = layer.get_output_variable()
    types = {"result": variable.type.precision, **{role: one.type.precision for role, one in layer.weights.items()}}
    accumulator = layer.get_attr("accum_t")
    if accumulator is not None:
        types["accum"] = accumulator.precision
    spelled = {role: kind.definition_cpp() for role, kind in types.items()}
    return {"name": layer.name, "kind": layer.class_name, "shape": list(variable.shape), "types": spelled}


def simulate(task: dict[str, Any]) -> None:
    """`x.npy` of shape (batch, inputs) to `y.npy` of shape (batch, outputs), both float64."""
    import ctypes

    import numpy as np

    x = np.load("x.npy")
    y = np.zeros((len(x), task["outputs"]))
    function = ctypes.CDLL(task["library"]).network_double
    function.restype, function.argtypes = None, [ctypes.c_void_p] * 2
    for row, result in zip(x, y, strict=True):
        function(row.ctypes.data, result.ctypes.data)
    np.save("y.npy", y)


if __name__ == "__main__":
    request = json.load(sys.stdin)
    {"convert": convert, "run": simulate}[request["step"]](request)
