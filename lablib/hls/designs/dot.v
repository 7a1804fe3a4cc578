// y = sum of x[i] w[i]: a multiplier for every element, and a result every cycle.
module dot #(parameter N = 8, parameter BITS = 8) (
  input clk, input rst,
  input in_valid, input [N*BITS-1:0] x, input [N*BITS-1:0] w,
  output reg out_valid, output reg signed [2*BITS+$clog2(N)-1:0] y
);
  localparam WIDE = 2 * BITS + $clog2(N);  // holds N of the largest products

  // Stage 1: multiply.
  reg valid;
  reg signed [2*BITS-1:0] products [0:N-1];
  integer i;
  always @(posedge clk)
    for (i = 0; i < N; i = i + 1)
      products[i] <= $signed(x[BITS*i +: BITS]) * $signed(w[BITS*i +: BITS]);

  // Stage 2: add.
  reg signed [WIDE-1:0] sum;
  integer j;
  always @* begin
    sum = 0;
    for (j = 0; j < N; j = j + 1) sum = sum + WIDE'(products[j]);
  end
  always @(posedge clk) begin
    y <= sum;
    {out_valid, valid} <= rst ? 2'b0 : {valid, in_valid};
  end
endmodule
