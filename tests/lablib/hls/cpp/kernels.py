"""Kernels of the subset, each with what is special about it; `KERNELS` names their sources."""

from __future__ import annotations

import re
import textwrap

HEAD = '#include "ap_int.h"\n#include "ap_fixed.h"\n'


def _kernel(text: str) -> str:
    return HEAD + textwrap.dedent(text)


def dot(n: int = 16, pragmas: str = "", loop: str = "#pragma HLS PIPELINE II=1") -> str:
    """A dot product; the pragmas of the function and of its loop are parameters."""
    return HEAD + (
        f"void dot(const ap_int<8> x[{n}], const ap_int<8> w[{n}], ap_int<32> &y) {{\n{pragmas}\n"
        f"  ap_int<32> sum = 0;\n  for (int i = 0; i < {n}; i++) {{\n    {loop}\n"
        "    sum += x[i] * w[i];\n  }\n  y = sum;\n}\n"
    )


def partitioned(*names: str, how: str) -> str:
    """ARRAY_PARTITION of several arrays."""
    return "".join(f"  #pragma HLS ARRAY_PARTITION variable={name} {how}\n" for name in names)


def matmul(order: str, pragma: str = "#pragma HLS PIPELINE II=1", head: str = "") -> str:
    """A matrix product with its loops in some order; those without the sum innermost add to memory."""
    loops = "".join(f"  for (int {one} = 0; {one} < 4; {one}++)\n" for one in order[:2])
    return HEAD + (
        "void matmul(const ap_int<8> a[4][4], const ap_int<8> b[4][4], ap_int<20> c[4][4]) {\n"
        f"{head}"
        "  for (int i = 0; i < 4; i++) for (int j = 0; j < 4; j++) {\n    #pragma HLS PIPELINE\n    c[i][j] = 0;\n  }\n"
        f"{loops}  for (int {order[2]} = 0; {order[2]} < 4; {order[2]}++) {{\n    {pragma}\n"
        "    c[i][j] += a[i][k] * b[k][j];\n  }\n}\n"
    )


KERNELS: dict[str, str] = {
    "dot_sequential": dot(loop=""),
    "dot_pipelined": dot(),
    "dot_ii3": dot(loop="#pragma HLS PIPELINE II=3"),
    "dot_unrolled_ports": dot(loop="#pragma HLS PIPELINE II=1\n    #pragma HLS UNROLL factor=4"),
    "dot_unrolled_cyclic": dot(
        pragmas=partitioned("x", "w", how="cyclic factor=4 dim=1"),
        loop="#pragma HLS PIPELINE II=1\n    #pragma HLS UNROLL factor=4",
    ),
    "dot_unrolled_tail": dot(
        n=10, pragmas=partitioned("x", "w", how="cyclic factor=4"),
        loop="#pragma HLS PIPELINE\n    #pragma HLS UNROLL factor=4",
    ),
    "dot_parallel": dot(pragmas=partitioned("x", "w", how="complete"), loop="#pragma HLS UNROLL"),
    "dot_shared": dot(
        pragmas=partitioned("x", "w", how="complete") + "\n  #pragma HLS ALLOCATION operation instances=mul limit=2",
        loop="#pragma HLS UNROLL",
    ),
    "matmul_ijk": matmul("ijk"),
    "matmul_ikj": matmul("ikj"),
    "matmul_kij": matmul("kij"),
    "matmul_unrolled": matmul(
        "ijk", "#pragma HLS UNROLL",
        partitioned("a", how="complete dim=2") + partitioned("b", how="complete dim=1"),
    ),
}  # fmt: skip

KERNELS["matvec"] = _kernel("""
    const int ROWS = 6, COLUMNS = 5;
    void matvec(const ap_int<8> a[ROWS][COLUMNS], const ap_int<8> x[COLUMNS], ap_int<20> y[ROWS]) {
      for (int r = 0; r < ROWS; r++) {
        ap_int<20> sum = 0;
        for (int c = 0; c < COLUMNS; c++) {
          #pragma HLS PIPELINE II=1
          sum += a[r][c] * x[c];
        }
        y[r] = sum;
      }
    }
""")

KERNELS["matvec_rows"] = _kernel("""
    const int ROWS = 6, COLUMNS = 8;
    void matvec(const ap_int<8> a[ROWS][COLUMNS], const ap_int<8> x[COLUMNS], ap_int<20> y[ROWS]) {
      #pragma HLS ARRAY_PARTITION variable=a cyclic factor=4 dim=2
      #pragma HLS ARRAY_PARTITION variable=x complete
      for (int r = 0; r < ROWS; r++) {
        #pragma HLS PIPELINE II=2
        ap_int<20> sum = 0;
        for (int c = 0; c < COLUMNS; c++) sum += a[r][c] * x[c];
        y[r] = sum;
      }
    }
""")

KERNELS["conv1d"] = _kernel("""
    const int N = 16, K = 3;
    const ap_int<6> TAPS[K] = {5, -11, 17};
    void conv1d(const ap_int<8> x[N], ap_int<16> y[N - K + 1]) {
      for (int i = 0; i < N - K + 1; i++) {
        #pragma HLS PIPELINE II=3
        ap_int<16> sum = 0;
        for (int k = 0; k < K; k++) sum += x[i + k] * TAPS[k];
        y[i] = sum;
      }
    }
""")

KERNELS["conv2d"] = _kernel("""
    const int HEIGHT = 6, WIDTH = 7, SIZE = 3;
    const ap_int<5> WEIGHTS[SIZE][SIZE] = {{1, -2, 3}, {-4, 5, -6}, {7, -8, 9}};
    void conv2d(const ap_int<8> x[HEIGHT][WIDTH], ap_int<8> y[HEIGHT - SIZE + 1][WIDTH - SIZE + 1]) {
      ap_int<8> lines[SIZE - 1][WIDTH];
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
            ap_int<32> sum = 7;
            for (int i = 0; i < SIZE; i++) {
              for (int j = 0; j < SIZE; j++) sum += WEIGHTS[i][j] * window[i][j];
            }
            ap_int<32> scaled = sum >> 4;
            if (scaled < -128) scaled = -128;
            if (scaled > 127) scaled = 127;
            y[r - SIZE + 1][c - SIZE + 1] = scaled;
          }
        }
      }
    }
""")

KERNELS["fir"] = _kernel("""
    const int N = 12, TAPS = 5;
    const ap_int<8> C[TAPS] = {3, -20, 101, -20, 3};
    void fir(const ap_int<8> x[N], ap_int<20> y[N]) {
      ap_int<8> line[TAPS] = {0, 0, 0, 0, 0};
      #pragma HLS ARRAY_PARTITION variable=line complete
      for (int n = 0; n < N; n++) {
        #pragma HLS PIPELINE II=1
        for (int t = TAPS - 1; t > 0; t--) line[t] = line[t - 1];
        line[0] = x[n];
        ap_int<20> sum = 0;
        for (int t = 0; t < TAPS; t++) sum += C[t] * line[t];
        y[n] = sum;
      }
    }
""")

KERNELS["softmax"] = _kernel("""
    const int N = 8;
    const ap_uint<16> EXP[16] = {32768, 20000, 12000, 7300, 4400, 2700, 1600, 990, 600, 360, 220, 130, 80, 50, 30, 18};
    void softmax(const ap_int<4> x[N], ap_uint<16> y[N]) {
      ap_int<4> most = x[0];
      for (int k = 1; k < N; k++) {
        #pragma HLS PIPELINE II=1
        if (x[k] > most) most = x[k];
      }
      ap_uint<32> sum = 0;
      for (int k = 0; k < N; k++) {
        #pragma HLS PIPELINE II=1
        sum += EXP[most - x[k]];
      }
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
        ap_uint<32> product = EXP[most - x[k]] * reciprocal;
        y[k] = product >> 15;
      }
    }
""")

KERNELS["layer_norm"] = _kernel("""
    const int N = 8;
    typedef ap_fixed<16, 6, AP_RND, AP_SAT> data_t;
    typedef ap_fixed<24, 12> sum_t;
    const ap_ufixed<12, 2> RSQRT[8] = {1.5, 1.0, 0.7071, 0.57735, 0.5, 0.4472, 0.40825, 0.378};
    void layer_norm(const data_t x[N], const data_t scale[N], data_t y[N]) {
      sum_t sum = 0;
      for (int i = 0; i < N; i++) {
        #pragma HLS PIPELINE II=1
        sum += x[i];
      }
      data_t mean = sum >> 3;
      ap_fixed<32, 14> squares = 0;
      for (int i = 0; i < N; i++) {
        #pragma HLS PIPELINE
        data_t d = x[i] - mean;
        squares += d * d;
      }
      ap_uint<3> at = ap_uint<3>(ap_int<14>(squares >> 3));
      ap_ufixed<12, 2> r = RSQRT[at];
      for (int i = 0; i < N; i++) {
        #pragma HLS PIPELINE II=1
        y[i] = (x[i] - mean) * r * scale[i];
      }
    }
""")

KERNELS["histogram"] = _kernel("""
    const int N = 16;
    void histogram(const ap_uint<3> x[N], ap_uint<8> h[8]) {
      for (int i = 0; i < N; i++) {
        #pragma HLS PIPELINE II=1
        h[x[i]] += 1;
      }
    }
""")

KERNELS["histogram_registers"] = _kernel("""
    const int N = 16;
    void histogram(const ap_uint<3> x[N], ap_uint<8> h[8]) {
      #pragma HLS ARRAY_PARTITION variable=h complete
      for (int i = 0; i < N; i++) {
        #pragma HLS PIPELINE II=1
        h[x[i]] += 1;
      }
    }
""")

KERNELS["prefix_sum"] = _kernel("""
    void prefix(const ap_int<8> x[16], ap_int<12> y[16]) {
      y[0] = x[0];
      for (int i = 1; i < 16; i++) {
        #pragma HLS PIPELINE II=1
        y[i] = y[i - 1] + x[i];
      }
    }
""")

KERNELS["max_pool"] = _kernel("""
    const int N = 6;
    void pool(const ap_int<8> x[N][N], ap_int<8> y[N / 2][N / 2]) {
      #pragma HLS ARRAY_PARTITION variable=x cyclic factor=2 dim=2
      for (int r = 0; r < N / 2; r++) {
        for (int c = 0; c < N / 2; c++) {
          #pragma HLS PIPELINE II=2
          ap_int<8> most = x[2 * r][2 * c];
          for (int i = 0; i < 2; i++)
            for (int j = 0; j < 2; j++)
              if (x[2 * r + i][2 * c + j] > most) most = x[2 * r + i][2 * c + j];
          y[r][c] = most;
        }
      }
    }
""")

KERNELS["requantise"] = _kernel("""
    void requantise(const ap_int<20> x[12], ap_fixed<8, 8, AP_RND_CONV, AP_SAT> y[12],
                    ap_fixed<8, 4, AP_RND_ZERO, AP_SAT_SYM> z[12], ap_ufixed<6, 3, AP_TRN_ZERO, AP_SAT_ZERO> u[12]) {
      for (int i = 0; i < 12; i++) {
        #pragma HLS PIPELINE II=1
        ap_fixed<20, 12> v = x[i] >> 8;
        ap_fixed<24, 12> w = v * ap_fixed<8, 1>(0.3) + ap_fixed<12, 6>(0.015625);
        y[i] = w;
        z[i] = w;
        u[i] = w;
      }
    }
""")

KERNELS["bitonic"] = _kernel("""
    const int N = 8;
    void bitonic(ap_int<8> x[N]) {
      #pragma HLS ARRAY_PARTITION variable=x complete
      for (int k = 2; k <= N; k *= 2) {
        #pragma HLS UNROLL
        for (int j = k / 2; j > 0; j /= 2) {
          #pragma HLS UNROLL
          for (int i = 0; i < N; i++) {
            #pragma HLS UNROLL
            int other = i ^ j;
            if (other > i) {
              bool up = (i & k) == 0;
              if ((x[i] > x[other]) == up) {
                ap_int<8> kept = x[i];
                x[i] = x[other];
                x[other] = kept;
              }
            }
          }
        }
      }
    }
""")

KERNELS["bitonic_memory"] = _kernel("""
    const int N = 8;
    void bitonic(ap_int<8> x[N]) {
      for (int k = 2; k <= N; k *= 2) {
        #pragma HLS UNROLL
        for (int j = k / 2; j > 0; j /= 2) {
          #pragma HLS UNROLL
          for (int i = 0; i < N; i++) {
            int other = i ^ j;
            if (other > i) {
              bool up = (i & k) == 0;
              ap_int<8> a = x[i], b = x[other];
              bool swap = (a > b) == up;
              x[i] = swap ? b : a;
              x[other] = swap ? a : b;
            }
          }
        }
      }
    }
""")

KERNELS["functions"] = _kernel("""
    template <class T> T relu(T v) { return v > 0 ? v : T(0); }
    template <int N> ap_int<16> total(const ap_int<8> v[N]) {
      ap_int<16> sum = 0;
      for (int i = 0; i < N; i++) sum += v[i];
      return sum;
    }
    static void split(ap_int<16> v, ap_int<8> &high, ap_uint<8> &low) {
      high = v >> 8;
      low = v;
    }
    int functions(const ap_int<8> x[2][4], ap_int<8> &high, ap_uint<8> &low, short s, unsigned char c, bool b) {
      ap_int<16> one = total<4>(x[0]), other = total<4>(x[1]);
      split(relu(one) * other, high, low);
      int mixed = s * c;
      mixed += b ? -s : c;
      mixed ^= mixed >> 3;
      return std::max(mixed, (int) s) - (mixed % 8) + std::abs(mixed / 4);
    }
""")

KERNELS["branches"] = _kernel("""
    void branches(const ap_int<8> x[10], ap_int<8> y[10], ap_int<8> limit) {
      ap_int<8> last = 0;
      ap_uint<4> seen = 0;
      for (int i = 0; i < 10; i++) {
        #pragma HLS PIPELINE
        if (x[i] > limit) {
          y[i] = limit;
          seen++;
        } else if (x[i] < -limit) {
          y[i] = -limit;
          seen += 2;
        } else {
          if (i > 0 && seen[0]) y[i] = last - x[i];
          else y[i] = x[i] | 1;
        }
        last = x[i];
      }
    }
""")

KERNELS["block_partition"] = _kernel("""
    void halves(const ap_int<8> x[10], ap_int<9> y[5]) {
      #pragma HLS ARRAY_PARTITION variable=x block factor=2
      for (int i = 0; i < 5; i++) {
        #pragma HLS PIPELINE II=1
        y[i] = x[i] + x[i + 5];
      }
    }
""")

KERNELS["dynamic_banks"] = _kernel("""
    void gather(const ap_int<8> x[12], const ap_uint<3> at[9], ap_int<8> y[9], ap_int<8> z[12]) {
      #pragma HLS ARRAY_PARTITION variable=x cyclic factor=4
      #pragma HLS ARRAY_PARTITION variable=z block factor=3
      for (int i = 0; i < 9; i++) {
        #pragma HLS PIPELINE II=1
        y[i] = x[at[i]];
        z[at[i]] = y[i] + 1;
      }
    }
""")

KERNELS["nested"] = _kernel("""
    void nested(const ap_int<8> x[4][3], ap_int<16> y[4], ap_int<20> &all) {
      ap_int<20> total = 1;
      for (int r = 3; r >= 0; r--) {
        ap_int<16> row = r;
        for (int c = 0; c < 3; c++) row += x[r][c] * (r + 1);
        for (int c = 2; c >= 0; c -= 2) {
          #pragma HLS PIPELINE II=2
          row -= x[r][c];
        }
        y[r] = row;
        total += row;
      }
      all = total;
    }
""")

KERNELS["bound_operations"] = _kernel("""
    void bound(const ap_int<12> x[8], const ap_int<12> w[8], ap_int<24> y[8]) {
      for (int i = 0; i < 8; i++) {
        #pragma HLS PIPELINE II=1
        ap_int<24> p = x[i] * w[i];
        #pragma HLS BIND_OP variable=p op=mul impl=fabric latency=3
        ap_int<24> q = p + x[i];
        #pragma HLS BIND_OP variable=q op=add impl=fabric latency=1
        y[i] = q;
      }
    }
""")

KERNELS["bound_in_a_sum"] = _kernel("""
    void bound(const ap_int<8> x[8], ap_int<12> &y, ap_int<8> narrow) {
      ap_int<12> sum = 0;
      for (int i = 0; i < 8; i++) {
        #pragma HLS PIPELINE II=1
        ap_int<12> p = x[i] + narrow;
        #pragma HLS BIND_OP variable=p op=add latency=2
        sum += p + x[i];
      }
      ap_int<16> wide = sum;
      ap_int<8> low = narrow > 3 ? ap_int<8>(wide + narrow) : ap_int<8>(narrow);
      for (int i = 0; i < 2; i++) {
        if (x[i] > 0) low = wide + low;
      }
      y = low;
    }
""")

KERNELS["whole_pipeline"] = _kernel("""
    void whole(const ap_int<8> x[8], ap_int<16> &y) {
      #pragma HLS PIPELINE II=1
      #pragma HLS ARRAY_PARTITION variable=x cyclic factor=2
      ap_int<16> sum = 0;
      for (int i = 0; i < 8; i++) sum += x[i] * x[7 - i];
      y = sum;
    }
""")

KERNELS["stencil_in_place"] = _kernel("""
    void smooth(ap_int<10> x[16]) {
      for (int i = 2; i < 16; i++) {
        #pragma HLS PIPELINE II=1
        x[i] = (x[i - 2] + x[i]) >> 1;
      }
    }
""")

KERNELS["not_flattened"] = _kernel("""
    void rows(const ap_int<8> x[4][6], ap_int<8> y[4][6]) {
      for (int r = 0; r < 4; r++) {
        for (int c = 0; c < 6; c++) {
          #pragma HLS PIPELINE II=1
          #pragma HLS LOOP_FLATTEN off
          y[r][c] = x[r][5 - c] + r;
        }
      }
    }
""")


ROUNDINGS = ["AP_TRN", "AP_TRN_ZERO", "AP_RND", "AP_RND_INF", "AP_RND_ZERO", "AP_RND_MIN_INF", "AP_RND_CONV"]
OVERFLOWS = ["AP_WRAP", "AP_SAT", "AP_SAT_ZERO", "AP_SAT_SYM"]


def _modes() -> str:
    """Each rounding with each overflow, signed and unsigned."""
    places = [
        (f"{sign}_{rounding}_{overflow}", f"ap_{sign}fixed<7, 4, {rounding}, {overflow}>")
        for sign in ("", "u")
        for rounding in ROUNDINGS
        for overflow in OVERFLOWS
    ]
    declared = ", ".join(f"{kind} &y{name}" for name, kind in places)
    assigned = "\n".join(f"  y{name} = x;" for name, _ in places)
    return f"{HEAD}void modes(ap_fixed<11, 6> x, {declared}) {{\n{assigned}\n}}\n"


KERNELS["modes"] = _modes()


def top_of(source: str) -> str:
    """The function defined last."""
    return re.findall(r"^(?:\w[\w<>, ]*\s)+(\w+)\(", source, re.MULTILINE)[-1]
