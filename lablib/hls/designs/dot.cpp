#include "ap_int.h"
#include "parameters.h"

// A multiplier for every element: the loop becomes N copies of its body.
void dot(const ap_int<BITS> x[N], const ap_int<BITS> w[N], ap_int<WIDE> &y) {
  #pragma HLS PIPELINE II=1
  #pragma HLS ARRAY_PARTITION variable=x complete
  #pragma HLS ARRAY_PARTITION variable=w complete
  ap_int<WIDE> sum = 0;
  for (int i = 0; i < N; i++) {
    #pragma HLS UNROLL
    sum += x[i] * w[i];
  }
  y = sum;
}

// One multiplier: the loop takes a pair of elements a cycle.
void mac(const ap_int<BITS> x[N], const ap_int<BITS> w[N], ap_int<WIDE> &y) {
  ap_int<WIDE> sum = 0;
  for (int i = 0; i < N; i++) {
    #pragma HLS PIPELINE II=1
    sum += x[i] * w[i];
  }
  y = sum;
}
