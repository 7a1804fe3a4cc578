# The right number of cycles and multipliers, by ALLOCATION: a row begins every COLUMNS / MULTIPLIERS cycles.
def matvec_cpp(parameters):
    return parameters + """
void matvec(const ap_int<8> w[ROWS][COLUMNS], const ap_int<8> x[COLUMNS], ap_int<24> y[ROWS]) {
  #pragma HLS ALLOCATION operation instances=mul limit=MULTIPLIERS
  #pragma HLS ARRAY_PARTITION variable=w complete dim=2
  #pragma HLS ARRAY_PARTITION variable=x complete
  for (int r = 0; r < ROWS; r++) {
    #pragma HLS PIPELINE II=1
    ap_int<24> sum = 0;
    for (int c = 0; c < COLUMNS; c++) sum += w[r][c] * x[c];
    y[r] = sum;
  }
}
"""
