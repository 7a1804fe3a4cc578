#include "ap_int.h"
#include "parameters.h"

void conv2d(const ap_int<8> x[HEIGHT][WIDTH], ap_int<8> y[HEIGHT - SIZE + 1][WIDTH - SIZE + 1]) {
  ap_int<8> lines[SIZE - 1][WIDTH];  // the rows above
  ap_int<8> window[SIZE][SIZE];
  #pragma HLS ARRAY_PARTITION variable=lines complete dim=1
  #pragma HLS ARRAY_PARTITION variable=window complete dim=0
  for (int r = 0; r < HEIGHT; r++) {
    for (int c = 0; c < WIDTH; c++) {
      #pragma HLS PIPELINE II=1
      for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE - 1; j++) window[i][j] = window[i][j + 1];
        window[i][SIZE - 1] = i < SIZE - 1 ? lines[i][c] : x[r][c];
      }
      for (int i = 0; i < SIZE - 1; i++) lines[i][c] = window[i + 1][SIZE - 1];
      if (r >= SIZE - 1 && c >= SIZE - 1) {
        ap_int<32> sum = BIAS;
        for (int i = 0; i < SIZE; i++) {
          for (int j = 0; j < SIZE; j++) sum += WEIGHTS[i][j] * window[i][j];
        }
        ap_int<32> scaled = sum >> SHIFT;
        if (scaled < LOW) scaled = LOW;
        if (scaled > 127) scaled = 127;
        y[r - SIZE + 1][c - SIZE + 1] = scaled;
      }
    }
  }
}
