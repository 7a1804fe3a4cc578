// Dense layers, one after the other on one multiplier, all weights in one block RAM:
//   y[n] = clip((sum_k W[n, k] x[k] + b[n]) >> shift, low, 127) in each layer
// Values live in a memory of two halves: a layer reads one and writes the other, which the next layer reads.
module network #(
  parameter LAYERS = 2,
  parameter [16*LAYERS-1:0] ROWS = 32'h000a0020, parameter [16*LAYERS-1:0] COLUMNS = 32'h00200040,  // layer 0 lowest
  parameter [8*LAYERS-1:0] SHIFT = 16'h0808, parameter [LAYERS-1:0] RELU = 2'b01,
  parameter WEIGHTS = 2368, parameter BIASES = 42, parameter WIDEST = 64
) (
  input clk, input rst,
  input in_valid, output in_ready, input signed [7:0] x,
  output reg out_valid, input out_ready, output reg signed [7:0] y
);
  localparam K = $clog2(WIDEST), A = $clog2(WEIGHTS), B = $clog2(BIASES), L = LAYERS > 1 ? $clog2(LAYERS) : 1;
  localparam FILL = 2'd0, RUN = 2'd1, WAIT = 2'd2;
  reg signed [7:0] weights [0:WEIGHTS-1];  // in the order in which they are read
  reg signed [23:0] biases [0:BIASES-1];
  reg signed [7:0] values [0:2*2**K-1];
  initial begin $readmemh("weights.hex", weights); $readmemh("bias.hex", biases); end

  // Everything waits while a result is not taken.
  wire go = !out_valid || out_ready;
  reg [1:0] phase;
  assign in_ready = go && phase == FILL && !rst;
  wire take = in_valid && in_ready, run = phase == RUN;

  // Which product: element k of row n of a layer. All memories but that of the values are read from end to end.
  reg [L-1:0] layer;
  reg [K-1:0] k, n, result;  // result: the next one to be complete
  reg [A-1:0] address;
  reg [B-1:0] row;
  wire [K-1:0] last_column = K'(COLUMNS[16*layer +: 16] - 1), last_row = K'(ROWS[16*layer +: 16] - 1);
  wire last_layer = layer == L'(LAYERS - 1), last = k == last_column;
  reg summed;
  wire finished = summed && result == last_row;  // the layer's last result is there
  always @(posedge clk) begin
    if (go) begin
      if (take || run) k <= last ? 0 : k + 1;
      if (run) begin
        address <= address + 1;
        if (last) {n, row} <= {n == last_row ? K'(0) : n + 1'b1, row + 1'b1};
      end
      if (summed) result <= finished ? 0 : result + 1;
      if (finished) layer <= last_layer ? 0 : layer + 1;
      case (phase)
        FILL: if (take && last) {phase, address, row} <= {RUN, A'(0), B'(0)};
        RUN: if (last && n == last_row) phase <= WAIT;
        default: if (finished) phase <= last_layer ? FILL : RUN;
      endcase
    end
    if (rst) {phase, layer, k, n, result} <= 0;
  end

  // Stage 1: read.
  reg signed [7:0] weight, value;
  reg signed [23:0] bias;
  reg read, first1, last1;
  always @(posedge clk) begin
    if (go) begin
      {weight, bias, value} <= {weights[address], biases[row], values[{layer[0], k}]};
      {read, first1, last1} <= {run, k == 0, last};
    end
    if (rst) read <= 0;
  end

  // Stage 2: multiply.
  reg signed [15:0] product;
  reg signed [23:0] start;
  reg multiplied, first2, last2;
  always @(posedge clk) begin
    if (go) begin
      product <= weight * value;
      start <= bias;
      {multiplied, first2, last2} <= {read, first1, last1};
    end
    if (rst) multiplied <= 0;
  end

  // Stage 3: accumulate.
  reg signed [31:0] sum;
  always @(posedge clk) begin
    if (go) begin
      if (multiplied) sum <= (first2 ? 32'(start) : sum) + 32'(product);
      summed <= multiplied && last2;
    end
    if (rst) summed <= 0;
  end

  // Stage 4: shift and clip; to the other half of the values, or out.
  wire signed [31:0] shifted = sum >>> SHIFT[8*layer +: 8], low = RELU[layer] ? 32'sd0 : -32'sd128;
  wire signed [7:0] clipped = shifted < low ? low[7:0] : shifted > 127 ? 8'sd127 : shifted[7:0];
  always @(posedge clk) begin
    if (take || (go && summed && !last_layer)) values[take ? {1'b0, k} : {!layer[0], result}] <= take ? x : clipped;
    if (go) begin
      y <= clipped;
      out_valid <= summed && last_layer;
    end
    if (rst) out_valid <= 0;
  end
endmodule
