// A convolution of an image that comes a pixel a cycle, row by row, and never stops for the window:
//   y[r, c] = clip((sum_ij w[i, j] x[r+i, c+j] + BIAS) >> SHIFT, LOW, 127)
// Block RAM holds the SIZE-1 rows above, registers the SIZE x SIZE window. A result for every place of the window
// comes out, in the order of the pixels.
module conv2d #(
  parameter HEIGHT = 8, parameter WIDTH = 8, parameter SIZE = 3,
  parameter [8*SIZE*SIZE-1:0] WEIGHTS = 0,  // int8, w[0, 0] in the lowest bits
  parameter signed [23:0] BIAS = 0, parameter SHIFT = 0, parameter signed [31:0] LOW = -128
) (
  input clk, input rst,
  input in_valid, output in_ready, input signed [7:0] x,
  output reg out_valid, input out_ready, output reg signed [7:0] y
);
  localparam R = $clog2(HEIGHT), C = $clog2(WIDTH), ABOVE = 8 * (SIZE - 1);

  // Everything waits while a result is not taken.
  wire go = !out_valid || out_ready;
  assign in_ready = go && !rst;
  wire take = in_valid && in_ready;

  // Where the pixel lies; the window is whole where it has SIZE-1 rows and columns before it.
  reg [R-1:0] row;
  reg [C-1:0] column;
  wire whole = row >= R'(SIZE - 1) && column >= C'(SIZE - 1);
  wire last_column = column == C'(WIDTH - 1), last_row = row == R'(HEIGHT - 1);
  always @(posedge clk)
    if (rst) {row, column} <= 0;
    else if (take) begin
      column <= last_column ? 0 : column + 1;
      if (last_column) row <= last_row ? 0 : row + 1;
    end

  // Stage 1: read the pixels above this one, the nearest in the lowest bits.
  // Stage 2: write them back one row further up, the pixel itself as the nearest.
  reg [ABOVE-1:0] lines [0:WIDTH-1];
  reg [ABOVE-1:0] above;
  reg [7:0] pixel;
  reg [C-1:0] at;
  reg valid1, whole1;
  wire [ABOVE+7:0] pixels = {above, pixel};  // a column of the image, the lowest pixel last
  always @(posedge clk) begin
    if (go) begin
      above <= lines[column];
      pixel <= x;
      at <= column;
      {valid1, whole1} <= {take, whole};
    end
    if (go && valid1) lines[at] <= pixels[ABOVE-1:0];
    if (rst) valid1 <= 0;
  end

  // Stage 2: the window moves one pixel to the right. Its rows are apart, each with its newest pixel in the lowest bits.
  reg [8*SIZE-1:0] window [0:SIZE-1];
  reg whole2;
  integer i;
  always @(posedge clk) begin
    if (go) begin
      whole2 <= valid1 && whole1;
      if (valid1)
        for (i = 0; i < SIZE; i = i + 1)
          window[i] <= {window[i][8*SIZE-9:0], pixels[8*(SIZE-1-i) +: 8]};
    end
    if (rst) whole2 <= 0;
  end

  // Stage 3: multiply. Stage 4: add. Stage 5: shift and clip.
  reg signed [15:0] products [0:SIZE*SIZE-1];
  reg signed [31:0] sum, total;
  wire signed [31:0] shifted = sum >>> SHIFT;
  reg whole3, whole4;
  integer j, k;
  always @* begin
    total = 32'(BIAS);
    for (j = 0; j < SIZE * SIZE; j = j + 1) total = total + 32'(products[j]);
  end
  always @(posedge clk) begin
    if (go) begin
      for (k = 0; k < SIZE * SIZE; k = k + 1)
        products[k] <= $signed(WEIGHTS[8*k +: 8]) * $signed(window[k / SIZE][8*(SIZE-1-k%SIZE) +: 8]);
      sum <= total;
      y <= shifted < LOW ? LOW[7:0] : shifted > 127 ? 8'sd127 : shifted[7:0];
      {out_valid, whole4, whole3} <= {whole4, whole3, whole2};
    end
    if (rst) {out_valid, whole4, whole3} <= 0;
  end
endmodule
