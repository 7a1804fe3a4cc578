#include "ap_int.h"
#include "parameters.h"

void network(const ap_int<8> x[INPUTS], ap_int<8> y[OUTPUTS]) {
  ap_int<8> values[2][WIDEST];  // a layer reads one half and writes the other
  for (int k = 0; k < INPUTS; k++) {
    #pragma HLS PIPELINE II=1
    values[0][k] = x[k];
  }
  int address = 0, row = 0;
  for (int layer = 0; layer < LAYERS; layer++) {
    for (int n = 0; n < ROWS[layer]; n++) {
      #pragma HLS UNROLL factor=MACS
      ap_int<32> sum = BIAS[row++];
      for (int k = 0; k < COLUMNS[layer]; k++) {
        #pragma HLS PIPELINE II=1
        sum += WEIGHTS[address++] * values[layer % 2][k];
      }
      ap_int<32> scaled = sum >> SHIFT[layer];
      if (scaled < LOW[layer]) scaled = LOW[layer];
      if (scaled > 127) scaled = 127;
      if (layer == LAYERS - 1) y[n] = scaled;
      else values[(layer + 1) % 2][n] = scaled;
    }
  }
}
