"""Distributed arithmetic: a dense layer without multipliers.

Weights are known when the hardware is built, so a product is a few shifted copies of the input, added. da4ml writes all
products of a layer as one graph of additions and shares the sums that occur twice:

    13 x = 8 x + 4 x + x        11 x = 8 x + 2 x + x        both need 8 x + x

The result is look-up tables with carries and no DSP block, a new input every cycle.

Source: Sun et al., "da4ml: Distributed Arithmetic for Real-time Neural Networks on FPGAs", arXiv:2507.04535.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lablib.hls import build
from lablib.hls.bits import BitsType, checked
from lablib.hls.designs.dense import DenseLayer
from lablib.hls.engines import DA4ML
from lablib.hls.errors import HardwareError, ToolTimeout
from lablib.hls.report import Report, Resources

__all__ = ["DaDense", "da_dense"]


@dataclass(frozen=True)
class DaDense:
    """A dense layer as additions and shifts; call it with numpy arrays.

    Attributes
    ----------
    name
        The module's name.
    verilog
        Its text. Ports ``clk``, ``rst``, ``in_vld``, ``x``, ``out_vld``, ``out``, as those that XLS gives a function:
        element 0 in the lowest bits.
    inputs, outputs
        Types of ``x`` and ``out``.
    stages
        Pipeline stages. An input register comes before the first, an output register after the last.
    depth
        Additions on the longest path.
    report
        Latency, II, and da4ml's estimate of look-up tables and flip-flops.
    """

    name: str
    verilog: str
    inputs: BitsType
    outputs: BitsType
    stages: int
    depth: int
    report: Report
    folder: Path

    def __call__(self, x: Any) -> np.ndarray:
        """Run the graph of additions, without its registers.

        Parameters
        ----------
        x
            Integers of shape (*batch, inputs).

        Returns
        -------
        np.ndarray
            Shape (*batch, outputs), int64.

        Raises
        ------
        HardwareError
            A value does not fit its type.
        """
        array = checked(x, self.inputs, "x")
        rows = np.ascontiguousarray(array.reshape(-1, *self.inputs.shape), dtype=np.float64)
        result = self._logic.predict(rows) if len(rows) else np.empty((0, *self.outputs.shape))
        return result.astype(np.int64).reshape((*array.shape[:-1], *self.outputs.shape))

    @cached_property
    def _logic(self) -> Any:
        DA4ML.require()
        from da4ml.types import CombLogic

        return CombLogic.load(self.folder / "logic.json")


def da_dense(layer: DenseLayer, adders_per_stage: int = 3, name: str = "dense", seconds: float = 120.0) -> DaDense:
    """Build a dense layer without multipliers.

    Parameters
    ----------
    layer
        Weights and types.
    adders_per_stage
        Additions that one clock has time for.
    name
        Name of the module.
    seconds
        Time limit.

    Raises
    ------
    EngineMissing
        da4ml is not installed.
    HardwareError
        A name or a number is out of range.
    ToolTimeout
        The search takes too long.

    Examples
    --------
    >>> dense = da_dense(DenseLayer(np.array([[13, 11], [-3, 4]]), shift=1))
    >>> dense([[5, 1], [-7, 0]])
    array([[ 38,  -6],
           [-46,  10]])
    """
    if isinstance(adders_per_stage, bool) or not isinstance(adders_per_stage, int) or adders_per_stage < 1:
        raise HardwareError(f"adders_per_stage is a whole number from 1, got {adders_per_stage!r}.")
    if not name.isidentifier() or not name.isascii():
        raise HardwareError(f"{name!r} is no name for a Verilog module: expected letters, digits and underscores.")
    folder = _built(_request(layer, adders_per_stage, name), seconds)
    facts = json.loads((folder / "facts.json").read_text())
    inputs = BitsType(layer.inputs.bits, layer.inputs.signed, layer.weights.shape[1:])
    outputs = BitsType(layer.outputs.bits, layer.outputs.signed, layer.weights.shape[:1])
    latency = facts["stages"] + 1
    report = Report(
        name, "da4ml", latency_cycles=latency, ii=1.0, estimated=True,
        resources=Resources(lut=round(facts["cost"]), ff=facts["registers"], dsp=0),
        notes=(f"At most {adders_per_stage} additions lie between two registers.",),
    )  # fmt: skip
    wrapper = _wrapper(name, inputs, outputs, facts["outputs"], latency)
    verilog = f"{(folder / 'core.v').read_text()}\n{wrapper}"
    return DaDense(name, verilog, inputs, outputs, facts["stages"], int(facts["depth"]), report, folder)


def _request(layer: DenseLayer, adders: int, name: str) -> dict[str, Any]:
    assert layer.bias is not None
    # With relu a signed output has its sign bit free: it saturates as the unsigned type one bit narrower.
    clip = (
        (False, layer.outputs.bits - layer.outputs.signed) if layer.relu else (layer.outputs.signed, layer.outputs.bits)
    )
    return {
        "weights": layer.weights.tolist(), "bias": layer.bias.tolist(), "shift": int(layer.shift),
        "inputs": (layer.inputs.signed, layer.inputs.bits), "clip": clip, "adders": adders, "name": name,
    }  # fmt: skip


def _built(request: dict[str, Any], seconds: float) -> Path:
    DA4ML.require()
    text = json.dumps(request, sort_keys=True)
    worker = Path(__file__).with_name("da_worker.py")

    def make(folder: Path) -> None:
        try:
            build.run([sys.executable, "-P", worker], folder, seconds, "searching for shared sums", given=text)
        except ToolTimeout as error:
            raise ToolTimeout(
                f"{str(error).rstrip('.')}: give it a smaller layer, or more time.", error.output
            ) from None

    return build.built("da4ml", {"request": text, "worker": worker.read_text(), "da4ml": version("da4ml")}, make)


def _wrapper(name: str, inputs: BitsType, outputs: BitsType, parts: list[tuple[bool, int, int]], latency: int) -> str:
    """The module around da4ml's: outputs of one width, and a valid bit that travels along.

    da4ml stores of each output only the bits that can differ: none where it is constant zero.
    """
    offset, lines, bits = 0, [], outputs.bits
    for index, (signed, stored, zeros) in enumerate(parts):
        low, high = bits * index, bits * (index + 1) - 1
        pieces = [f"core_out[{offset + stored - 1}:{offset}]"] * bool(stored) + [f"{zeros}'b0"] * bool(stored and zeros)
        missing = bits - stored - (zeros if stored else 0)
        top = f"core_out[{offset + stored - 1}]" if signed and stored else "1'b0"
        pieces = [f"{{{missing}{{{top}}}}}"] * bool(missing) + pieces
        lines.append(f"    assign out[{high}:{low}] = {{{', '.join(pieces)}}};")
        offset += stored
    assigned = "\n".join(lines)
    return f"""\
module {name} (
    input clk, input rst,
    input in_vld, input [{inputs.width - 1}:0] x,
    output out_vld, output [{outputs.width - 1}:0] out
);
    wire [{max(offset, 1) - 1}:0] core_out;
    {name}_core core (.clk(clk), .model_inp(x), .model_out(core_out));
{assigned}

    // The valid bit of each register on the way.
    reg [{latency - 1}:0] valid;
    always @(posedge clk) valid <= rst ? {latency}'b0 : {{valid[{latency - 2}:0], in_vld}};
    assign out_vld = valid[{latency - 1}];
endmodule
"""
