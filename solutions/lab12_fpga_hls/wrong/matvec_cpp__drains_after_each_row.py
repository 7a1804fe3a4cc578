# An imperfect nest: II is 1, and the pipeline runs empty after every row.
def matvec_cpp(parameters):
    return parameters + """
void matvec(const ap_int<8> w[ROWS][COLUMNS], const ap_int<8> x[COLUMNS], ap_int<24> y[ROWS]) {
  #pragma HLS ARRAY_PARTITION variable=w cyclic factor=MULTIPLIERS dim=2
  #pragma HLS ARRAY_PARTITION variable=x cyclic factor=MULTIPLIERS
  for (int r = 0; r < ROWS; r++) {
    ap_int<24> sum = 0;
    for (int c = 0; c < COLUMNS; c++) {
      #pragma HLS PIPELINE II=1
      #pragma HLS UNROLL factor=MULTIPLIERS
      sum += w[r][c] * x[c];
    }
    y[r] = sum;
  }
}
"""
