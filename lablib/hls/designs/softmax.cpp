#include "ap_int.h"
#include "parameters.h"

void softmax(const ap_int<8> x[N], ap_uint<16> y[N]) {
  ap_int<8> most = x[0];
  for (int k = 1; k < N; k++) {
    #pragma HLS PIPELINE II=1
    if (x[k] > most) most = x[k];
  }
  ap_uint<32> sum = 0;
  for (int k = 0; k < N; k++) {
    #pragma HLS PIPELINE II=1
    sum += EXPONENTIALS[most - x[k]];
  }
  // 2^30 / sum by long division; the sum is 2^15 or more, so the quotient has 16 bits.
  ap_uint<32> remainder = 1 << 14;
  ap_uint<16> reciprocal = 0;
  for (int bit = 15; bit >= 0; bit--) {
    #pragma HLS PIPELINE II=1
    remainder = remainder << 1;
    if (remainder >= sum) {
      remainder -= sum;
      reciprocal[bit] = 1;
    }
  }
  for (int k = 0; k < N; k++) {
    #pragma HLS PIPELINE II=1
    ap_uint<32> product = EXPONENTIALS[most - x[k]] * reciprocal;
    y[k] = product >> 15;
  }
}
