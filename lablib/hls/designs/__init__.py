"""Small designs to measure: readable Verilog, the same in HLS C++ or DSLX, and the numpy function that both equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lablib.hls import place as placing
from lablib.hls import rtlsim as simulating
from lablib.hls.bits import BitsType, checked
from lablib.hls.errors import HardwareError
from lablib.hls.report import Report
from lablib.hls.verilog import module_of

__all__ = ["Design"]


@dataclass(frozen=True)
class Design:
    """Hardware with what is known of it.

    Attributes
    ----------
    top, verilog, files
        What `lablib.hls.rtlsim`, `synth` and `place` take.
    golden
        The function that it computes in numpy, exactly: arrays of shape (vectors, *shape of the input), in the order
        of ``inputs``.
    software
        The same function run from the source that a student would write; empty where there is none.
    source
        That source: HLS C++, or DSLX.
    inputs, output
        By port the type of one vector; the output's port and type. A port that is narrower than its vector takes it in
        several transfers, the first elements first.
    latency
        Cycles from a vector's first element to its last result.
    ii
        Initiation interval: cycles from one vector to the next.
    """

    top: str
    verilog: str
    golden: Callable[..., np.ndarray]
    software: Callable[..., np.ndarray]
    source: str
    inputs: Mapping[str, BitsType]
    output: tuple[str, BitsType]
    latency: int
    ii: int
    files: Mapping[str, str] = field(default_factory=dict)

    def cycles(self, vectors: int) -> int:
        """Cycles from the first element to the last result, if vectors come without pauses."""
        return self.latency + self.ii * (vectors - 1)

    def simulate(self, *arrays: Any, **options: Any) -> simulating.Simulation:
        """Run the Verilog, cycle by cycle.

        Parameters
        ----------
        *arrays
            As for ``golden``.
        **options
            Of `lablib.hls.rtlsim.rtlsim`: ``pauses``, ``wave_cycles`` and so on.

        Returns
        -------
        Simulation
            The output has the shape that ``golden`` gives. Its report counts latency and II in vectors, where `rtlsim`
            counts them in transfers.

        Raises
        ------
        HardwareError
            Values do not fit their ports, or the Verilog is wrong.
        """
        if len(arrays) != len(self.inputs):
            raise HardwareError(f"{self.top} takes {', '.join(self.inputs)}: it got {len(arrays)} arrays.")
        module = module_of(self.verilog, self.top, self.files)
        given = {
            name: checked(array, kind, name).reshape(-1, module.ports[name].bits // kind.bits)
            for array, (name, kind) in zip(arrays, self.inputs.items(), strict=True)
        }
        name, kind = self.output
        vectors = len(arrays[0])
        transfers = kind.width // module.ports[name].bits
        elements = {name: f"{'s' if kind.signed else 'u'}{kind.bits}"}
        run = simulating.rtlsim(
            self.verilog, self.top, given, elements=elements, results=vectors * transfers, files=self.files, **options
        )
        values = run.outputs[name].reshape(vectors, *kind.shape)
        first_taken, last_given = run.accepted.reshape(vectors, -1)[:, 0], run.arrived.reshape(vectors, -1)[:, -1]
        report = simulating.measured(module, first_taken, last_given)
        return replace(run, outputs={name: values}, report=report)

    def place(self, part: str = "hx8k", **options: Any) -> Report:
        """Place and route it; options are those of `lablib.hls.place.place`."""
        return placing.place(self.verilog, self.top, part, self.files, **options)
