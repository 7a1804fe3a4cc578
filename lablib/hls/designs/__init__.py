"""Small designs to measure: readable Verilog, the same in HLS C++ or DSLX, and the numpy function that both equal.

===================  ============================================  ==================================
module               design                                        II
===================  ============================================  ==================================
`dot`                dot product on n multipliers, or on one       1; n
`dense_serial`       dense layer on one multiplier                 inputs × (outputs + 1)
`dense_parallel`     dense layer by XLS, or by da4ml               1
`conv2d`             convolution through a line buffer             pixels of the image
`softmax`            softmax by table                              3 n + 19
`systolic`           matrix product on a grid of cells             depth + 3 size - 1
`network`, `digits`  dense layers on one multiplier or a few       weights / multipliers, and the inputs
===================  ============================================  ==================================
"""

from __future__ import annotations

import math
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
        The function that it computes in numpy, exactly: arrays of shape ``(*batch, *shape of the input)``, in the
        order of ``inputs``.
    software
        The same function, run bit by bit from ``source`` by `lablib.hls.csim` or `lablib.hls.xls`; one batch axis.
    source
        HLS C++ or DSLX; empty where a compiler made the design of weights alone.
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
        rank = len(next(iter(self.inputs.values())).shape)
        batch = np.shape(arrays[0])[: np.ndim(arrays[0]) - rank]
        vectors = math.prod(batch)
        name, kind = self.output
        transfers = kind.width // module.ports[name].bits
        elements = {name: f"{'s' if kind.signed else 'u'}{kind.bits}"}
        run = simulating.rtlsim(
            self.verilog, self.top, given, elements=elements, results=vectors * transfers, files=self.files, **options
        )
        outputs = {name: run.outputs[name].reshape(*batch, *kind.shape)}
        first_taken, last_given = run.accepted.reshape(vectors, -1)[:, 0], run.arrived.reshape(vectors, -1)[:, -1]
        return replace(run, outputs=outputs, report=simulating.measured(module, first_taken, last_given))

    def place(self, part: str = "hx8k", **options: Any) -> Report:
        """Place and route it; options are those of `lablib.hls.place.place`."""
        return placing.place(self.verilog, self.top, part, self.files, **options)
