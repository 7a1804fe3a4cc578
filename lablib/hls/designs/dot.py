"""Dot product of two vectors, all products at once.

    y = sum_i x[i] w[i]

    x, w ──> n multipliers ──register──> adders ──register──> y

A multiplier for every element makes II 1: a result every cycle, for n times the hardware of a single multiplier.
"""

from __future__ import annotations

import numpy as np

from lablib.hls.designs import Design
from lablib.hls.errors import HardwareError

__all__ = ["dot"]

LATENCY = 2


def dot(n: int, bits: int = 8) -> Design:
    """A pipelined dot product: latency 2, II 1.

    Parameters
    ----------
    n
        Elements of each vector.
    bits
        Bits of each element, signed.

    Returns
    -------
    Design
        Inputs ``x`` and ``w`` of n elements, output ``y`` of ``2 bits + ceil(log2 n)`` bits, in_valid and out_valid.

    Examples
    --------
    >>> dot(4).golden([[1, 2, 3, 4]], [[1, 1, 1, -1]])
    array([2])
    """
    if n < 1 or not 2 <= bits <= 16:
        raise HardwareError(f"dot takes at least 1 element of 2 to 16 bits: it got {n} of {bits}.")
    wide = 2 * bits + (n - 1).bit_length()
    verilog = f"""
module dot (
  input clk, input rst,
  input in_valid, input [{n * bits - 1}:0] x, input [{n * bits - 1}:0] w,
  output reg out_valid, output reg signed [{wide - 1}:0] y
);
  reg valid;
  reg signed [{2 * bits - 1}:0] products [0:{n - 1}];
  reg signed [{wide - 1}:0] sum;
  integer i, j;
  always @* begin
    sum = 0;
    for (i = 0; i < {n}; i = i + 1) sum = sum + {wide}'(products[i]);
  end
  always @(posedge clk) begin
    for (j = 0; j < {n}; j = j + 1)
      products[j] <= $signed(x[{bits} * j +: {bits}]) * $signed(w[{bits} * j +: {bits}]);
    y <= sum;
    {{out_valid, valid}} <= rst ? 2'b0 : {{valid, in_valid}};
  end
endmodule
"""
    return Design("dot", verilog, _dot, lambda vectors: LATENCY + vectors - 1)


def _dot(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return (np.asarray(x, dtype=np.int64) * np.asarray(w)).sum(axis=-1)
