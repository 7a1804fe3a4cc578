#include "ap_int.h"
#include "parameters.h"

// a[k] is column k of A, b[k] is row k of B: Y is the sum of their outer products.
void systolic(const ap_int<BITS> a[DEPTH][SIZE], const ap_int<BITS> b[DEPTH][SIZE], ap_int<WIDE> y[SIZE][SIZE]) {
  ap_int<WIDE> sum[SIZE][SIZE];
  #pragma HLS ARRAY_PARTITION variable=sum complete dim=0
  for (int k = 0; k < DEPTH; k++) {
    #pragma HLS PIPELINE II=1
    for (int i = 0; i < SIZE; i++) {
      for (int j = 0; j < SIZE; j++) {
        ap_int<WIDE> before = k == 0 ? ap_int<WIDE>(0) : sum[i][j];
        sum[i][j] = before + a[k][i] * b[k][j];
      }
    }
  }
  for (int i = 0; i < SIZE; i++) {
    #pragma HLS PIPELINE II=1
    for (int j = 0; j < SIZE; j++) y[i][j] = sum[i][j];
  }
}
