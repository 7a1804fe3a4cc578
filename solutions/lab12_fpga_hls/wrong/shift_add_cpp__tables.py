# Looks every product up.
def shift_add_cpp(weights):
    rows, columns = weights.shape
    lines = ['#include "ap_int.h"']
    for n, k in np.ndindex(rows, columns):
        values = [int(weights[n, k]) * (v if v < 128 else v - 256) for v in range(256)]
        lines.append(f"const ap_int<16> T{n}_{k}[256] = {braces(values)};")
    lines += [
        f"void product(const ap_int<8> x[{columns}], int y[{rows}]) {{",
        "#pragma HLS ARRAY_PARTITION variable=x complete", "#pragma HLS ARRAY_PARTITION variable=y complete",
    ]  # fmt: skip
    for n in range(rows):
        lines.append(f"y[{n}] = {' + '.join(f'T{n}_{k}[x[{k}] & 255]' for k in range(columns))};")
    return "\n".join([*lines, "}"])
