// An output-stationary systolic array: each cell keeps one element of Y = A B.
// A column of A enters at the left and a row of B at the top, every cycle; row i and column i wait i cycles, so that
// a[k] and b[k] meet in every cell. When all sums are complete they move up and leave at the top, a row a cycle.
module systolic #(parameter SIZE = 4, parameter DEPTH = 8, parameter BITS = 8) (
  input clk, input rst,
  input in_valid, output in_ready, input [SIZE*BITS-1:0] a, input [SIZE*BITS-1:0] b,
  output out_valid, input out_ready, output [SIZE*(2*BITS+$clog2(DEPTH))-1:0] y
);
  localparam WIDE = 2 * BITS + $clog2(DEPTH);  // holds DEPTH of the largest products
  localparam FLUSH_CYCLES = 2 * SIZE - 1;      // from the last operands' arrival to the last cell's sum
  localparam FILL = 2'd0, FLUSH = 2'd1, DRAIN = 2'd2;

  reg [1:0] phase;
  reg [15:0] count;
  assign in_ready = phase == FILL && !rst;
  assign out_valid = phase == DRAIN;
  wire take = in_valid && in_ready, shift = out_valid && out_ready;
  wire step = phase == FILL ? take : phase == FLUSH ? 1'b1 : shift;
  wire [15:0] steps = phase == FILL ? DEPTH : phase == FLUSH ? FLUSH_CYCLES : SIZE;
  always @(posedge clk)
    if (rst) {phase, count} <= 0;
    else if (step) begin
      count <= count + 1 == steps ? 0 : count + 1;
      if (count + 1 == steps) phase <= phase == DRAIN ? FILL : phase + 1;
    end

  // Wires between the cells, as seen from cell (i, j): its operands come from the left and from above, and the sum
  // that replaces its own comes from below. Where nothing enters, zeros do, which add nothing.
  wire [BITS-1:0] from_left [0:SIZE-1][0:SIZE];
  wire [BITS-1:0] from_above [0:SIZE][0:SIZE-1];
  wire [WIDE-1:0] from_below [0:SIZE][0:SIZE-1];
  genvar i, j;
  generate
    for (i = 0; i < SIZE; i = i + 1) begin : row
      delay #(.CYCLES(i), .BITS(BITS)) left (clk, rst, take ? a[BITS*i +: BITS] : {BITS{1'b0}}, from_left[i][0]);
      delay #(.CYCLES(i), .BITS(BITS)) above (clk, rst, take ? b[BITS*i +: BITS] : {BITS{1'b0}}, from_above[0][i]);
      assign from_below[SIZE][i] = 0;
      assign y[WIDE*i +: WIDE] = from_below[0][i];
      for (j = 0; j < SIZE; j = j + 1) begin : column
        multiplier #(.BITS(BITS), .WIDE(WIDE)) at (
          .clk(clk), .rst(rst), .shift(shift),
          .from_left(from_left[i][j]), .from_above(from_above[i][j]), .from_below(from_below[i+1][j]),
          .a(from_left[i][j+1]), .b(from_above[i+1][j]), .sum(from_below[i][j])
        );
      end
    end
  endgenerate
endmodule

// One cell: it keeps its operands for a cycle, multiplies them, and passes them on.
module multiplier #(parameter BITS = 8, parameter WIDE = 19) (
  input clk, input rst, input shift,
  input signed [BITS-1:0] from_left, input signed [BITS-1:0] from_above, input signed [WIDE-1:0] from_below,
  output reg signed [BITS-1:0] a, output reg signed [BITS-1:0] b, output reg signed [WIDE-1:0] sum
);
  always @(posedge clk)
    if (rst) {a, b, sum} <= 0;
    else begin
      {a, b} <= {from_left, from_above};
      sum <= shift ? from_below : sum + WIDE'(a * b);
    end
endmodule

// A value some cycles later.
module delay #(parameter CYCLES = 1, parameter BITS = 8) (
  input clk, input rst, input [BITS-1:0] d, output [BITS-1:0] q
);
  generate
    if (CYCLES == 0) assign q = d;
    else begin
      reg [BITS-1:0] held;
      delay #(.CYCLES(CYCLES - 1), .BITS(BITS)) rest (clk, rst, held, q);
      always @(posedge clk) held <= rst ? 0 : d;
    end
  endgenerate
endmodule
