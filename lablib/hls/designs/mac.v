// y = sum of x[i] w[i]: one multiplier, which takes a pair of elements a cycle and gives a result every N cycles.
module mac #(parameter N = 8, parameter BITS = 8) (
  input clk, input rst,
  input in_valid, input signed [BITS-1:0] x, input signed [BITS-1:0] w,
  output reg out_valid, output reg signed [2*BITS+$clog2(N)-1:0] y
);
  localparam WIDE = 2 * BITS + $clog2(N);  // holds N of the largest products
  localparam K = $clog2(N);

  reg [K-1:0] k;
  wire first = k == 0, last = k == K'(N - 1);
  always @(posedge clk)
    if (rst) k <= 0;
    else if (in_valid) k <= last ? 0 : k + 1;

  // Stage 1: multiply.
  reg valid, is_first, is_last;
  reg signed [2*BITS-1:0] product;
  always @(posedge clk) begin
    product <= x * w;
    {valid, is_first, is_last} <= {in_valid && !rst, first, last};
  end

  // Stage 2: accumulate, in y itself.
  always @(posedge clk) begin
    if (valid) y <= (is_first ? WIDE'(0) : y) + WIDE'(product);
    out_valid <= valid && is_last;
  end
endmodule
