"""A dense layer on one multiplier, its weights in block RAM.

    y[n] = clip(sum_k W[n, k] x[k] + b[n] >> shift, low, 127)      low = 0 with ReLU, else -128

The inputs come one a cycle and are kept; then every weight is read once, one a cycle:

    x ──> block RAM ──┐
    weights ROM ──────┴──> multiply, accumulate ──> shift, clip ──> y

One multiplier needs K cycles to take an input and N K to compute: K (N + 1) cycles an input vector, against K N
multipliers for one every cycle.
"""

from __future__ import annotations

import numpy as np

from lablib.hls.designs import Design
from lablib.hls.errors import HardwareError

__all__ = ["dense_serial"]

DRAIN = 2  # cycles from the last weight's read to its result


def dense_serial(weights: np.ndarray, bias: np.ndarray, shift: int, relu: bool = True) -> Design:
    """A dense layer of int8 weights and activations.

    Parameters
    ----------
    weights
        Shape (N, K), integers that fit into 8 bits, N and K at least 2.
    bias
        Shape (N,), integers that fit into 24 bits.
    shift
        Bits by which the sum is shifted right before it is clipped to 8.
    relu
        Clip at 0 instead of at -128.

    Returns
    -------
    Design
        A stream: ``x`` takes the K elements of a vector one after the other, ``y`` gives the N results.

    Raises
    ------
    HardwareError
        Shapes or ranges are others.

    Examples
    --------
    >>> dense_serial(np.array([[1, 2], [3, -4]]), np.array([8, 0]), shift=1).golden([[2, 4]])
    array([[9, 0]])
    """
    weights, bias = np.asarray(weights), np.asarray(bias)
    _check(weights, bias, shift)
    rows, columns = weights.shape
    low = 0 if relu else -128

    def golden(x: np.ndarray) -> np.ndarray:
        return np.clip((np.asarray(x, dtype=np.int64) @ weights.T + bias) >> shift, low, 127)

    files = {"weights.hex": _hex(weights.ravel(), 8), "bias.hex": _hex(bias, 24)}
    verilog = _VERILOG
    values = {"ROWS": rows, "COLUMNS": columns, "SHIFT": shift, "LOW": f"-32'sd{-low}"}
    for name, value in values.items():
        verilog = verilog.replace(f"{name} = 0", f"{name} = {value}", 1)
    return Design("dense_serial", verilog, golden, lambda vectors: vectors * columns * (rows + 1) + DRAIN, files)


def _check(weights: np.ndarray, bias: np.ndarray, shift: int) -> None:
    if weights.ndim != 2 or min(weights.shape) < 2 or bias.shape != weights.shape[:1]:
        raise HardwareError(
            f"dense_serial takes weights of shape (N, K), both at least 2, and N biases: "
            f"it got {weights.shape} and {bias.shape}."
        )
    for name, array, bits in (("weights", weights, 8), ("bias", bias, 24)):
        most = 1 << bits - 1
        if array.dtype.kind not in "iu" or array.min() < -most or array.max() >= most:
            raise HardwareError(
                f"dense_serial takes integers of {bits} bits as {name}: "
                f"it got {array.dtype} from {array.min()} to {array.max()}."
            )
    if not 0 <= shift < 32:
        raise HardwareError(f"dense_serial shifts by 0 to 31 bits: it got {shift}.")


def _hex(values: np.ndarray, bits: int) -> str:
    return "\n".join(f"{int(value) & (1 << bits) - 1:0{bits // 4}x}" for value in values) + "\n"


_VERILOG = """
module dense_serial #(
  parameter ROWS = 0, parameter COLUMNS = 0, parameter SHIFT = 0, parameter signed [31:0] LOW = 0
) (
  input clk, input rst,
  input in_valid, output in_ready, input signed [7:0] x,
  output reg out_valid, input out_ready, output reg signed [7:0] y
);
  localparam A = $clog2(ROWS * COLUMNS), K = $clog2(COLUMNS), N = $clog2(ROWS);
  reg signed [7:0] weights [0:ROWS*COLUMNS-1];
  reg signed [23:0] biases [0:ROWS-1];
  reg signed [7:0] inputs [0:COLUMNS-1];
  initial begin $readmemh("weights.hex", weights); $readmemh("bias.hex", biases); end

  // Everything waits while a result is not taken.
  wire go = !out_valid || out_ready;
  reg running;
  assign in_ready = go && !running && !rst;

  reg [A-1:0] address;
  reg [K-1:0] k;
  reg [N-1:0] n;
  wire last = k == K'(COLUMNS - 1);
  wire take = in_valid && in_ready;

  // Stage 1: read. Memories have a register at their output and no reset.
  reg signed [7:0] weight, value;
  reg signed [23:0] bias;
  always @(posedge clk) begin
    if (take) inputs[k] <= x;
    if (go) begin weight <= weights[address]; value <= inputs[k]; bias <= biases[n]; end
  end

  // Stage 2: multiply and accumulate. Stage 3: shift and clip.
  reg read, first, final_one, summed;
  reg signed [31:0] sum;
  wire signed [31:0] shifted = sum >>> SHIFT;
  always @(posedge clk) begin
    if (go) begin
      {read, first, final_one} <= {running, k == 0, last};
      if (read) sum <= (first ? 32'(bias) : sum) + 32'(weight * value);
      summed <= read && final_one;
      out_valid <= summed;
      y <= shifted < LOW ? LOW[7:0] : shifted > 127 ? 8'sd127 : shifted[7:0];
      if (take || running) k <= last ? 0 : k + 1;
      if (take && last) begin running <= 1; address <= 0; n <= 0; end
      if (running) begin
        address <= address + 1;
        if (last) begin
          n <= n + 1;
          if (n == N'(ROWS - 1)) running <= 0;
        end
      end
    end
    if (rst) begin {running, read, summed, out_valid} <= 0; k <= 0; end
  end
endmodule
"""
