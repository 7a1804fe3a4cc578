// y[n] = clip((sum_k W[n, k] x[k] + b[n]) >> SHIFT, LOW, 127): one multiplier, weights in block RAM.
// A vector comes as COLUMNS elements, one a cycle; then a weight is read every cycle, and ROWS results come out.
module dense_serial #(
  parameter ROWS = 10, parameter COLUMNS = 32, parameter SHIFT = 8, parameter signed [31:0] LOW = -128
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
