# Leaves the products to the compiler, which also makes additions of them.
def shift_add_cpp(weights):
    rows, columns = weights.shape
    lines = [
        '#include "ap_int.h"', f"void product(const ap_int<8> x[{columns}], int y[{rows}]) {{",
        "#pragma HLS ARRAY_PARTITION variable=x complete", "#pragma HLS ARRAY_PARTITION variable=y complete",
    ]  # fmt: skip
    for n, row in enumerate(weights.tolist()):
        lines.append(f"y[{n}] = {' + '.join(f'{w} * x[{k}]' for k, w in enumerate(row))};")
    return "\n".join([*lines, "}"])
