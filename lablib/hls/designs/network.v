// Dense layers, one after the other on the same multipliers, all weights in block RAM:
//   y[n] = clip((sum_k W[n, k] x[k] + b[n]) >> shift, low, 127) in each layer
// Values live in a memory of two halves: a layer reads one and writes the other, which the next layer reads. MACS rows
// are computed at a time, so a layer reads its inputs PASSES times. Numbers of the layers stand side by side, those of
// layer 0 in the lowest bits.
module network #(
  parameter MACS = 1, parameter LAYERS = 2,
  parameter [16*LAYERS-1:0] ROWS = 32'h000a0020, parameter [16*LAYERS-1:0] COLUMNS = 32'h00200040,
  parameter [16*LAYERS-1:0] PASSES = 32'h000a0020,
  parameter [8*LAYERS-1:0] SHIFT = 16'h0808, parameter [LAYERS-1:0] RELU = 2'b01,
  parameter WEIGHT_WORDS = 2368, parameter BIAS_WORDS = 42, parameter WIDEST = 64, parameter WIDE = 24
) (
  input clk, input rst,
  input in_valid, output in_ready, input signed [7:0] x,
  output reg out_valid, input out_ready, output reg signed [7:0] y
);
  localparam K = $clog2(WIDEST), L = LAYERS > 1 ? $clog2(LAYERS) : 1, Q = $clog2(MACS + 1);
  localparam FILL = 2'd0, RUN = 2'd1, WAIT = 2'd2;
  reg [8*MACS-1:0] weights [0:WEIGHT_WORDS-1];  // in the order in which they are read, those of MACS rows in a word
  reg [24*MACS-1:0] biases [0:BIAS_WORDS-1];
  reg signed [7:0] values [0:2*2**K-1];
  initial begin $readmemh("weights.hex", weights); $readmemh("bias.hex", biases); end

  // Everything waits while a result is not taken.
  wire go = !out_valid || out_ready;
  reg [1:0] phase;
  assign in_ready = go && phase == FILL && !rst;
  wire take = in_valid && in_ready, run = phase == RUN;

  // Which products: those with element k, in one of the passes of a layer. Weights and biases are read end to end.
  reg [L-1:0] layer;
  reg [K-1:0] k, pass, row;  // row: that of the next result
  reg [$clog2(WEIGHT_WORDS)-1:0] weight_at;
  reg [$clog2(BIAS_WORDS)-1:0] bias_at;
  wire [K-1:0] last_row = K'(ROWS[16*layer +: 16] - 1);
  wire last = k == K'(COLUMNS[16*layer +: 16] - 1), last_pass = pass == K'(PASSES[16*layer +: 16] - 1);
  wire last_layer = layer == L'(LAYERS - 1);
  wire result, finished = result && row == last_row;
  always @(posedge clk) begin
    if (go) begin
      if (take || run) k <= last ? 0 : k + 1;
      if (run) weight_at <= weight_at + 1;
      if (run && last) begin
        pass <= last_pass ? 0 : pass + 1;
        bias_at <= bias_at + 1;
      end
      if (result) row <= finished ? 0 : row + 1;
      if (finished) layer <= last_layer ? 0 : layer + 1;
      case (phase)
        FILL: if (take && last) {phase, weight_at, bias_at} <= {RUN, {$bits(weight_at) + $bits(bias_at){1'b0}}};
        RUN: if (last && last_pass) phase <= WAIT;
        default: if (finished) phase <= last_layer ? FILL : RUN;
      endcase
    end
    if (rst) {phase, layer, k, pass, row} <= 0;
  end

  // Stage 1: read.
  reg [8*MACS-1:0] weight;
  reg [24*MACS-1:0] bias;
  reg signed [7:0] value;
  reg read, first1, last1;
  always @(posedge clk) begin
    if (go) begin
      {weight, bias, value} <= {weights[weight_at], biases[bias_at], values[{layer[0], k}]};
      {read, first1, last1} <= {run, k == 0, last};
    end
    if (rst) read <= 0;
  end

  // Stage 2: multiply.
  reg signed [15:0] products [0:MACS-1];
  reg [24*MACS-1:0] start;
  reg multiplied, first2, last2;
  integer m;
  always @(posedge clk) begin
    if (go) begin
      for (m = 0; m < MACS; m = m + 1) products[m] <= $signed(weight[8*m +: 8]) * value;
      start <= bias;
      {multiplied, first2, last2} <= {read, first1, last1};
    end
    if (rst) multiplied <= 0;
  end

  // Stage 3: accumulate.
  reg signed [WIDE-1:0] sums [0:MACS-1];
  reg complete;
  integer n;
  always @(posedge clk) begin
    if (go) begin
      for (n = 0; n < MACS; n = n + 1)
        if (multiplied) sums[n] <= (first2 ? WIDE'($signed(start[24*n +: 24])) : sums[n]) + WIDE'(products[n]);
      complete <= multiplied && last2;
    end
    if (rst) complete <= 0;
  end

  // Stage 4: the sums of a pass leave one a cycle, while the next pass goes on.
  reg signed [WIDE-1:0] queue [0:MACS-1];
  reg [Q-1:0] left;
  integer q;
  assign result = left != 0;
  always @(posedge clk) begin
    if (go) begin
      for (q = 0; q < MACS; q = q + 1)
        if (complete) queue[q] <= sums[q];
        else if (q < MACS - 1) queue[q] <= queue[q+1];
      left <= complete ? Q'(MACS) : finished ? 0 : left - Q'(result);
    end
    if (rst) left <= 0;
  end

  // Stage 5: shift and clip; to the other half of the values, or out.
  wire signed [WIDE-1:0] shifted = queue[0] >>> SHIFT[8*layer +: 8];
  wire signed [7:0] low = RELU[layer] ? 8'sd0 : -8'sd128;
  wire signed [7:0] clipped = shifted < WIDE'(low) ? low : shifted > 127 ? 8'sd127 : shifted[7:0];
  always @(posedge clk) begin
    if (take || (go && result && !last_layer)) values[take ? {1'b0, k} : {!layer[0], row}] <= take ? x : clipped;
    if (go) begin
      y <= clipped;
      out_valid <= result && last_layer;
    end
    if (rst) out_valid <= 0;
  end
endmodule
