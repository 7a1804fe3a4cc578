// y[n] = exp(x[n] - max x) / sum of those, in fixed point: x in steps that the table knows, y in steps of 2^-15.
// A vector of N comes in; its largest element is found on the way. It is read twice, each time through the table:
// first for the sum, whose reciprocal takes 16 cycles, then to be multiplied by it.
module softmax #(parameter N = 10) (
  input clk, input rst,
  input in_valid, output in_ready, input signed [7:0] x,
  output reg out_valid, input out_ready, output reg [15:0] y
);
  localparam K = $clog2(N), WIDE = 16 + K;
  localparam FILL = 3'd0, SUM = 3'd1, WAIT = 3'd2, DIVIDE = 3'd3, SCALE = 3'd4;
  reg signed [7:0] inputs [0:N-1];
  reg [15:0] exponentials [0:255];  // 2^15 exp(-d) for a distance of d steps from the maximum
  initial $readmemh("exponentials.hex", exponentials);

  // Everything waits while a result is not taken.
  wire go = !out_valid || out_ready;
  reg [2:0] phase;
  reg [K-1:0] k;
  reg [3:0] bit_number;
  assign in_ready = go && phase == FILL && !rst;
  wire take = in_valid && in_ready, read = phase == SUM || phase == SCALE;
  wire first = k == 0, last = k == K'(N - 1);
  reg summed;  // the sum is complete
  always @(posedge clk) begin
    if (go) begin
      if (take || read) k <= last ? 0 : k + 1;
      bit_number <= phase == DIVIDE ? bit_number + 1 : 0;
      case (phase)
        FILL: if (take && last) phase <= SUM;
        SUM: if (last) phase <= WAIT;
        WAIT: if (summed) phase <= DIVIDE;
        DIVIDE: if (bit_number == 15) phase <= SCALE;
        default: if (last) phase <= FILL;
      endcase
    end
    if (rst) {phase, k} <= 0;
  end

  // While the vector comes in: its maximum.
  reg signed [7:0] most;
  always @(posedge clk)
    if (take) begin
      inputs[k] <= x;
      if (first || x > most) most <= x;
    end

  // Stage 1: read the vector. Stage 2: read the table.
  reg signed [7:0] value;
  reg [15:0] exponential;
  wire [7:0] distance = most - value;
  reg adds1, scales1, first1, last1, adds2, scales2, first2, last2;
  always @(posedge clk) begin
    if (go) begin
      value <= inputs[k];
      exponential <= exponentials[distance];
      {adds1, scales1, first1, last1} <= {phase == SUM, phase == SCALE, first, last};
      {adds2, scales2, first2, last2} <= {adds1, scales1, first1, last1};
    end
    if (rst) {adds1, scales1, adds2, scales2} <= 0;
  end

  // Stage 3, first time: add.
  reg [WIDE-1:0] sum;
  always @(posedge clk) begin
    if (go) begin
      if (adds2) sum <= (first2 ? WIDE'(0) : sum) + WIDE'(exponential);
      summed <= adds2 && last2;
    end
    if (rst) summed <= 0;
  end

  // 2^30 / sum by long division, a bit a cycle. The sum is 2^15 or more: of the quotient's 31 bits 16 can be set, and
  // 2^14 is what remains when those before them are done.
  reg [WIDE:0] remainder;
  reg [15:0] reciprocal;
  wire [WIDE:0] twice = {remainder[WIDE-1:0], 1'b0};
  wire fits = twice >= {1'b0, sum};
  always @(posedge clk)
    if (go) begin
      if (phase == WAIT) remainder <= (WIDE+1)'(1 << 14);
      if (phase == DIVIDE) begin
        remainder <= fits ? twice - {1'b0, sum} : twice;
        reciprocal <= {reciprocal[14:0], fits};
      end
    end

  // Stage 3, second time: multiply. Stage 4: drop the bits below 2^-15.
  reg [31:0] product;
  reg scales3;
  always @(posedge clk) begin
    if (go) begin
      product <= exponential * reciprocal;
      y <= product[30:15];
      {out_valid, scales3} <= {scales3, scales2};
    end
    if (rst) {out_valid, scales3} <= 0;
  end
endmodule
