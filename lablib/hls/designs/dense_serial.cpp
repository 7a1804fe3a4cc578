#include "ap_int.h"
#include "parameters.h"

void dense_serial(const ap_int<8> x[COLUMNS], ap_int<8> y[ROWS]) {
  for (int n = 0; n < ROWS; n++) {
    ap_int<32> sum = BIAS[n];
    for (int k = 0; k < COLUMNS; k++) {
      #pragma HLS PIPELINE II=1
      sum += WEIGHTS[n][k] * x[k];
    }
    ap_int<32> scaled = sum >> SHIFT;
    if (scaled < LOW) scaled = LOW;
    if (scaled > 127) scaled = 127;
    y[n] = scaled;
  }
}
