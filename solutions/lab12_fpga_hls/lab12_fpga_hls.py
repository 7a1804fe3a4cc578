# %% [markdown]
# # Lab 12 · A neural network as hardware
#
# The network of lab09 reads a digit of 8 × 8 pixels with 2,368 multiplications in int8. On an FPGA of 7,680 logic cells it takes 536 of them, six small memories and one multiplier made of look-up tables, and
# answers in 33 µs (`lablib.hls.designs`, placed and routed; docs/fpga.md). It does so in the same 2,440 cycles for every image, with no operating system, no driver and no cache in the way. **On an FPGA you do not write
# a program for a machine. You write the machine.**
#
# In this lab you write C++ that becomes circuits, with free tools, on a laptop without an FPGA. You count every cycle in simulated hardware and every cell after placement.
#
# **After it you can**
# 1. choose the width of every number in a circuit, and prove that it is enough;
# 2. read a schedule, and use pragmas to trade cycles for multipliers;
# 3. build an array in which every operand is fetched once and used in many cells;
# 4. bring a quantised network from integers to a placed design, and say what an image costs in time and area;
# 5. find out from counters what keeps a loop from a faster rate.
#
# | | |
# |---|---|
# | Time | about 13 hours: core 10 h, stretch 3 h (exercises 5 and 6) |
# | Needs | lab09's integer network, or: you know what `clip((W x + b) >> shift)` does. A little C++: loops, arrays, types |
# | Machine | any, no FPGA, no GPU. The tools came with the set-up. Cells that place a design take about 15 s the first time, all others less than 8 s |
# | Grading | about 70 core-seconds: your circuits are compiled, simulated, synthesised and placed anew |
# | Points | 100 |
#
# **In every exercise** your answer is a Python function that returns source text. The grader compiles the text and runs the *circuit*, so it never asks your Python for a result.
# Text may include `ap_int.h` and `ap_fixed.h` and nothing else, in plain ASCII. In grading there is no `lablib.hls.designs`: it has designs of this kind, to look at.

# %% setup tags=["setup"] withhold=["lablib.hls.designs"]
import lablib

lablib.require("0.1")

from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

import json
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from lablib import check, viz
from lablib.hls.bits import bits_for
from lablib.hls.confined import confined
from lablib.hls.cpp.area import multipliers
from lablib.hls.cpp.design import hardware, measure
from lablib.hls.cpp.ir import Block, blocks
from lablib.hls.cpp.report import loop_reports
from lablib.hls.parts import part_of
from lablib.hls.synth import synth

device.seed(0)


def braces(values):
    """An array as C++ writes it."""
    return json.dumps(np.asarray(values).tolist()).replace("[", "{").replace("]", "}")


def constants(**values):
    """Lines of C++ that define whole numbers, and arrays of them in the narrowest type that holds them."""
    lines = ['#include "ap_int.h"']
    for name, value in values.items():
        if isinstance(value, int):
            lines.append(f"const int {name} = {value};")
        else:
            kind = f"ap_int<{bits_for(int(value.min()), int(value.max())).bits}>"
            sizes = "".join(f"[{size}]" for size in value.shape)
            lines.append(f"const {kind} {name}{sizes} = {braces(value)};")
    return "\n".join([*lines, ""])


def compiled(text, top, signature, part="hx8k"):
    """The circuit of a C++ text, whose function must have this signature."""
    design = hardware(confined(text), top, part=part)
    check.equal(str(design.signature), signature, name=f"what {top} takes and gives")
    return design


def same(actual, expected, name):
    """Every number that a circuit gave is the one expected, exactly."""
    check.close(torch.as_tensor(actual), torch.as_tensor(expected), rtol=0.0, name=name)


def integers(low, high, *shape):
    """Random whole numbers from `low` to `high` - 1, as numpy's."""
    return check.rng.integers(low, high, *shape).cpu().numpy()


# %% [markdown]
# ## 1 · Numbers of any width
#
# A CPU has integers of 8, 16, 32 and 64 bits, because its adders were made years ago. Yours are made now. An adder of 11 bits takes 11 look-up tables, one of 12 takes 12. A multiplier grows with the
# product of its widths: two bytes take about 170 (Yosys, for the FPGA of exercise 4), two halves of a byte about a quarter of that. So **every bit that you do not need is area that you do not pay**.
#
# `ap_fixed<W, I>` is a whole number of W bits that you read with a binary point behind the first I of them:
#
# ```text
# ap_fixed<8, 3>         s   x   x  .  x    x    x    x    x
# weight of the bit     -4   2   1    1/2  1/4  1/8  1/16 1/32
#
# 3.375 is               0   1   1  .  0    1    1    0    0
#
# and the integer behind it is 108:   108 / 2^5 = 3.375
# ```
#
# Sums and products are **exact**: their types grow as wide as they must. Something is lost only where a value is *assigned* to a type that is too narrow. There the type says how: `ap_fixed<8, 3, AP_RND, AP_SAT>` rounds halves
# up and clips at the ends. Without these two words it cuts bits off below and wraps around above.
#
# Try it. `csim` compiles C++ with g++ and runs it bit by bit. Which of the two turns 4.0 into −4.0?

# %% look_fixed
from lablib.hls.csim import csim

narrow = """
#include "ap_fixed.h"
void narrow(const ap_fixed<16, 8> x[5], ap_fixed<6, 3> cut[5], ap_fixed<6, 3, AP_RND, AP_SAT> kind[5]) {
  for (int i = 0; i < 5; i++) { cut[i] = x[i]; kind[i] = x[i]; }
}
"""
x = np.array([1.3, 1.4375, -1.3, 3.99, 4.0])
cut, kind = csim(narrow, "narrow")(x)
print("x                   ", x)
print("ap_fixed<6, 3>      ", cut)
print("… with AP_RND AP_SAT", kind)

# %% [markdown]
# A sum is where widths go wrong. Each product of two 8-bit numbers has 16 bits, and sixteen of them need 20. A type of 16 for the sum is right on most images and wrong on the brightest.
#
# **Your task.** `dense_cpp(parameters)` returns C++ text: the lines in `parameters`, and after them
# `void dense(const x_t x[COLUMNS], y_t y[ROWS])`, which computes `relu(W x + b)`.
# * `parameters` defines `ROWS`, `COLUMNS` (at most 64), `X_FRACTION` and `W_FRACTION` (the bits behind the binary point of x and of the weights), the types `x_t`, `w_t` (8 bits each) and `y_t`, and the tables `WEIGHTS[ROWS][COLUMNS]` and `BIAS[ROWS]` (24 bits).
# * Products and sums are exact for every x. ReLU acts on the exact sum. The result is then rounded **once**, as `y_t` says.
# * Any schedule will do; no pragmas are needed yet.
#
# <details><summary>Hint 1: how many bits behind the point</summary>What is the smallest step of a product of x and a weight? A type with this step loses nothing.</details>
# <details><summary>Hint 2: how many before it</summary>The integer behind a product has 16 bits. What do 64 of them need, and a bias of 24?</details>
# <details><summary>Hint 3: nearly there</summary><code>typedef ap_fixed&lt;32, 32 - X_FRACTION - W_FRACTION&gt; sum_t;</code> for a sum that starts at <code>BIAS[n]</code>; two loops; then <code>y[n] = sum &lt; 0 ? sum_t(0) : sum;</code></details>


# %% dense_cpp tags=["solution"]
def dense_cpp(parameters):
    ### BEGIN SOLUTION
    kernel = """
typedef ap_fixed<32, 32 - X_FRACTION - W_FRACTION> sum_t;

void dense(const x_t x[COLUMNS], y_t y[ROWS]) {
  for (int n = 0; n < ROWS; n++) {
    sum_t sum = BIAS[n];
    for (int k = 0; k < COLUMNS; k++) {
      sum += WEIGHTS[n][k] * x[k];
    }
    y[n] = sum < 0 ? sum_t(0) : sum;
  }
}
"""
    return parameters + kernel
    ### END SOLUTION


# %% [markdown]
# The next cell shows your C++ with its errors at their lines, then the circuit that it becomes. Read the report: a loop that is not pipelined finishes one iteration before it begins the next. (The compiler is `lablib.hls.cpp`, of a part of HLS C++; it refuses
# what it cannot build, and says what to write instead.)


# %% dense_parameters tags=["setup"]
def dense_parameters(weights, bias, x_fraction, w_fraction, y):
    """The constants of exercise 1. Weights and biases are given as the integers behind them; y as "8, 5, AP_RND"."""
    rows, columns = weights.shape
    sizes = {"ROWS": rows, "COLUMNS": columns, "X_FRACTION": x_fraction, "W_FRACTION": w_fraction}
    return "\n".join([
        '#include "ap_fixed.h"',
        f"const int {', '.join(f'{name} = {value}' for name, value in sizes.items())};",
        "typedef ap_fixed<8, 8 - X_FRACTION> x_t;",
        "typedef ap_fixed<8, 8 - W_FRACTION> w_t;",
        f"typedef ap_fixed<{y}> y_t;",
        f"const w_t WEIGHTS[ROWS][COLUMNS] = {braces(weights / 2**w_fraction)};",
        "const ap_fixed<24, 24 - X_FRACTION - W_FRACTION> BIAS[ROWS] = "
        f"{braces(bias / 2 ** (x_fraction + w_fraction))};",
        "",
    ])  # fmt: skip


# %% look_dense
from IPython.display import display

from lablib.hls.magics import hls_cpp

weights, bias = np.array([[64, -32, 16], [-128, 127, 1]]), np.array([100, -3000])
dense_text = dense_cpp(dense_parameters(weights, bias, 4, 6, "8, 5, AP_RND, AP_SAT"))
display(hls_cpp("dense_text", dense_text, globals()))
dense_design = hardware(dense_text, "dense")
print(dense_design)
print(
    "\non x = [1, -2, 0.5]: y =",
    dense_design([1, -2, 0.5]),
    "by the circuit,",
    csim(dense_text, "dense")([1, -2, 0.5]),
    "by g++",
)


# %% test_dense_cpp tags=["test", "core"] points=10 hours=1.25 covers=["custom_hardware", "lo2"]
def dense_oracle(x, weights, bias, shift, bits, rounding, overflow):
    """The integers behind y; x, weights and bias are integers, too."""
    sums = np.maximum(x @ weights.T + bias, 0)
    half = 1 << shift >> 1
    added = {"AP_TRN": 0, "AP_RND": half, "AP_RND_CONV": half - 1 + (sums >> shift & 1)}[rounding]
    y = (sums + added) >> shift
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return np.clip(y, low, high) if overflow == "AP_SAT" else (y - low) % 2**bits + low


def judge_dense(cases):
    """Compile one layer a case, run all of them in one simulation, and compare every bit."""
    calls, wanted = [], []
    for rows, columns, x_fraction, w_fraction, bits, integer, rounding, overflow in cases:
        weights, bias = integers(-128, 128, rows, columns), integers(-(2**16), 2**16, rows)
        brightest = np.where(weights > 0, 127, -128)[:2]  # the largest sums that there are
        x = np.concatenate([brightest, -1 - brightest, integers(-128, 128, 8, columns), integers(-9, 9, 8, columns)])
        y = f"{bits}, {integer}, {rounding}, {overflow}"
        text = dense_cpp(dense_parameters(weights, bias, x_fraction, w_fraction, y))
        kind = f"ap_fixed<{y}>".replace(", AP_TRN, AP_WRAP", "")  # what it is without words
        signature = f"dense(ap_fixed<8, {8 - x_fraction}> x[{columns}]) -> {kind} y[{rows}]"
        calls.append((compiled(text, "dense", signature), (x / 2**x_fraction,), {}))
        shift = x_fraction + w_fraction - (bits - integer)
        wanted.append((y, integer - bits, dense_oracle(x, weights, bias, shift, bits, rounding, overflow)))
    for run, (y, exponent, raw) in zip(measure(calls), wanted, strict=True):
        same(run.results["y"], np.ldexp(raw.astype(float), exponent), name=f"y of dense, ap_fixed<{y}>")


judge_dense([(4, 16, 4, 6, 8, 7, "AP_RND", "AP_SAT")])
### BEGIN HIDDEN TESTS
judge_dense([
    (3, 64, 5, 7, 10, 7, "AP_RND", "AP_SAT"),
    (2, 40, 7, 7, 12, 7, "AP_TRN", "AP_WRAP"),
    (3, 17, 3, 4, 8, 8, "AP_RND_CONV", "AP_SAT"),
])  # fmt: skip
### END HIDDEN TESTS

# %% [markdown]
# ### The narrowest widths that are good enough
#
# Real weights are no multiples of 1/64. Round them to F bits behind the point, and every output is wrong by a little. How much at most, over **all** inputs? The circuit computes ŵ instead of w, so the error of an output is
#
# $$\sum_k (\hat w_k - w_k)\, x_k + (\hat b - b),$$
#
# a sum of terms that you can push to their ends one by one. By hand: x in [−1, 1), weights 0.3 and −0.6, F = 2. Rounded: 0.25 and −0.5. The differences are −0.05 and 0.1. The worst x has −1 where the difference is positive and nearly 1 where it is negative: −0.05 − 0.1 = −0.15.
# No test set says this. A test set has the inputs that somebody thought of.
#
# The other end works the same way: push every term up, and you have the largest sum that any input can cause.
#
# **Your task.** `widths(weights, bias, bound)` returns `(fraction, integer)`, two ints, both as small as they can be.
# * `weights`: float64 of shape (rows, columns); `bias`: float64 of shape (rows,); `bound` > 0. No ReLU here. Inputs are `ap_fixed<8, 1>`: −1, …, 127/128, any of them.
# * Weights are rounded to `fraction` ≥ 0 bits behind the point, biases to `fraction + 7`; halves go up, as AP_RND has it. `fraction` is the least number with which **no** output is wrong by more than `bound` for **any** input.
# * The sum is exact, of type `ap_fixed<fraction + 7 + integer, integer>`. `integer` ≥ 1 is the least number with which the finished sum fits for any input, at both ends. (Sums on the way may wrap: two's complement comes back.)
#
# <details><summary>Hint 1: the ends of one term</summary>x goes from −1 to 127/128. So d · x has its maximum at −d or at d · 127/128, whichever is larger.</details>
# <details><summary>Hint 2: the error has two ends, too</summary>Add up the largest terms, then the smallest. The bias's error shifts both.</details>
# <details><summary>Hint 3: nearly there</summary>A function <code>ends(w, b)</code> that returns smallest and largest of w · x + b for each row serves both questions: once with the differences, once with the rounded weights. The type holds −2^(integer − 1) and 2^(integer − 1) − 2^−(fraction + 7).</details>


# %% widths tags=["solution"]
def widths(weights, bias, bound):
    ### BEGIN SOLUTION
    def ends(w, b):
        return np.minimum(-w, w * 127 / 128).sum(axis=1) + b, np.maximum(-w, w * 127 / 128).sum(axis=1) + b

    def rounded(values, bits):
        return np.floor(values * 2.0**bits + 0.5) / 2.0**bits

    fraction = 0
    while True:
        w, b = rounded(weights, fraction), rounded(bias, fraction + 7)
        low, high = ends(w - weights, b - bias)
        if max(-low.min(), high.max()) <= bound:
            break
        fraction += 1
    low, high = ends(w, b)
    integer = 1
    while low.min() < -(2.0 ** (integer - 1)) or high.max() > 2.0 ** (integer - 1) - 2.0 ** -(fraction + 7):
        integer += 1
    return fraction, integer
    ### END SOLUTION


# %% [markdown]
# Look at what the widths are for. The cell builds a layer with your widths, and one with a bit less before the point, and gives both the input that is worst for row 0. (The look-up tables are the compiler's estimate; nothing is synthesised yet.)


# %% look_widths
def layer_text(weights, bias, fraction, integer):
    """A layer of exercise 1 with the widths of one's choice, and no ReLU."""
    bits = int(np.ceil(np.log2(np.abs(weights).max() + 1))) + 1 + fraction
    w, b = (np.floor(v * 2.0**f + 0.5) / 2.0**f for v, f in ((weights, fraction), (bias, fraction + 7)))
    return f"""#include "ap_fixed.h"
typedef ap_fixed<{fraction + 7 + integer}, {integer}> sum_t;
const ap_fixed<{bits}, {bits - fraction}> W[{len(w)}][{w.shape[1]}] = {braces(w)};
const sum_t B[{len(b)}] = {braces(b)};
void layer(const ap_fixed<8, 1> x[{w.shape[1]}], sum_t y[{len(b)}]) {{
  for (int n = 0; n < {len(b)}; n++) {{
    sum_t sum = B[n];
    for (int k = 0; k < {w.shape[1]}; k++) sum += W[n][k] * x[k];
    y[n] = sum;
  }}
}}"""


rng = np.random.default_rng(0)
weights, bias = rng.normal(0, 0.4, (4, 16)), rng.normal(0, 1, 4)
fraction, integer = widths(weights, bias, 0.02)
worst = np.where(weights[0] > 0, 127 / 128, -1.0) * (1 if bias[0] > 0 else -1)
print(f"your widths: {fraction} bits behind the point of a weight, {integer} before the point of the sum")
print(f"exact y[0] = {weights[0] @ worst + bias[0]:.4f}")
tried = {before: hardware(layer_text(weights, bias, fraction, before), "layer") for before in (integer, integer - 1)}
for (before, design), run in zip(tried.items(), measure([(one, (worst,), {}) for one in tried.values()]), strict=True):
    lut = design.report.resources.lut
    kind = f"ap_fixed<{fraction + 7 + before}, {before}>"
    print(f"sum in {kind}: y[0] = {run.results['y'].ravel()[0]:.4f}, about {lut} look-up tables")


# %% test_widths tags=["test", "core"] points=10 hours=1.25 covers=["custom_hardware", "quantisation", "lo2"]
def ends_exactly(weights, bias):
    """Smallest and largest w · x + b over all inputs and rows, as fractions."""
    rows = [([Fraction(w) for w in row], Fraction(b)) for row, b in zip(weights, bias, strict=True)]
    low = [b + sum(min(-w, w * Fraction(127, 128)) for w in row) for row, b in rows]
    high = [b + sum(max(-w, w * Fraction(127, 128)) for w in row) for row, b in rows]
    return min(low), max(high)


def error_at(weights, bias, fraction):
    """The worst error, and weights and bias as they are rounded."""
    w, b = (np.floor(v * 2.0**f + 0.5) / 2.0**f for v, f in ((weights, fraction), (bias, fraction + 7)))
    low, high = ends_exactly(w - weights, b - bias)
    return float(max(-low, high)), w, b


def judge_widths(weights, bias, fraction):
    """A bound a little above what `fraction` bits give."""
    bound = 1.01 * error_at(weights, bias, fraction)[0] + 1e-9
    least = next(f for f in range(fraction + 1) if error_at(weights, bias, f)[0] <= bound)
    _, w, b = error_at(weights, bias, least)
    low, high = ends_exactly(w, b)
    step, integer = Fraction(1, 2 ** (least + 7)), 1
    while low < -(2 ** (integer - 1)) or high > 2 ** (integer - 1) - step:
        integer += 1
    check.equal(widths(weights, bias, bound), (least, integer), name="widths: (fraction, integer)")


judge_widths(np.array([[0.3, -0.6], [0.9, 0.7]]), np.array([0.1, -0.2]), 3)
### BEGIN HIDDEN TESTS
for rows, columns, fraction in [(3, 5, 4), (2, 33, 7), (5, 9, 2)]:
    scale = 2.0 ** check.rng.choice(-2, 3)
    drawn = check.rng.normal(rows, columns + 1).double().cpu().numpy() * scale
    judge_widths(drawn[:, 1:], drawn[:, 0], fraction)
one_sided = np.abs(check.rng.normal(2, 6).double().cpu().numpy())
judge_widths(one_sided[:, 1:], one_sided[:, 0], 5)
judge_widths(one_sided[:, 1:], one_sided[:, 0] - 20, 5)  # the lower end needs more than the upper
for eighth in (0.125, -0.125):  # the sum reaches -1, which fits into one bit before the point; or +1, which does not
    judge_widths(np.full((1, 8), eighth), np.array([0.0]), 3)
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · Pragmas: cycles against multipliers
#
# C++ says what to compute. **Pragmas** say with how much hardware, and how soon:
#
# | pragma | what it asks for |
# |---|---|
# | `PIPELINE II=1` | begin the next iteration after 1 cycle (the **initiation interval**), although this one takes longer |
# | `UNROLL factor=4` | four copies of the loop's body side by side |
# | `ARRAY_PARTITION variable=x cyclic factor=4` | put x into 4 memories: element k in memory k mod 4 |
# | `ALLOCATION operation instances=mul limit=4` | no more than 4 multipliers; operations take turns |
#
# Each promises something, and each can be held up by another. A memory hands out **one word a cycle**: four copies of a body that read one memory take four cycles. Here is a product of an 8 × 16 matrix and a vector, in all 36 ways to set four pragmas. Every number was
# measured: cycles in Verilator, multipliers and look-up tables by Yosys for an ECP5 FPGA (which has hard multipliers).
#
# Find the fastest setting. Then the fastest one with 4 multipliers. What does `UNROLL` alone gain, and what stops it? (In the chart, *input 0* is the first iteration of the loop that is pipelined, *input 1* the next.)

# %% look_pragmas
explored = json.loads(Path("assets/pragmas.json").read_text())
viz.pragma_explorer(explored["knobs"], explored["designs"], title="What does a pragma buy, and what stops it?")

# %% [markdown]
# All of them at once, cycles against look-up tables. On the line are those that nobody beats in both: the **Pareto front**. (128 products on m multipliers take at least 128 / m cycles.)

# %% look_front
from types import SimpleNamespace


def as_report(row):
    """A measured design in the form that `viz.latency_area` reads."""
    taken = SimpleNamespace(lut=row["lut"], dsp=row["multipliers"])
    return SimpleNamespace(latency_cycles=row["cycles"], ii=row["ii"], fmax_mhz=None, resources=taken)


def short(row):
    chosen = {name: option for name, option in row["setting"].items() if option != "none"}
    words = {"PIPELINE": "", "UNROLL": "unroll ", "ARRAY_PARTITION": "", "ALLOCATION": ""}
    return ", ".join(words[name] + option for name, option in chosen.items()) or "no pragma"


# Settings that give one and the same circuit are one point: that with the fewest pragmas.
by_figures = {}
for row in sorted(explored["designs"], key=lambda row: -len(short(row))):
    by_figures[row["cycles"], row["lut"]] = row
viz.latency_area({short(row): as_report(row) for row in by_figures.values()}, area="lut")

# %% [markdown]
# Two designs there have 4 multipliers and need 128 / 4 = 32 cycles of work. One takes 36 cycles, with an II of 4. The other has the perfect II of 1 and takes 74. Why? A pipelined loop takes
#
# > 1 cycle to enter, D to let the first iteration through, and II for each of the others: **1 + D + II · (trip − 1)**.
#
# The second design enters its inner loop 8 times, and each time waits for the pipeline to run empty before it begins the next row. **An II of 1 is worth nothing in a loop that is too short.** The cure is one long loop: a **perfect nest**, in which everything stands in the innermost body, is *flattened* into one
# loop by the compiler. What used to stand between the loops becomes a condition inside.
#
# **Your task.** `matvec_cpp(parameters)` returns C++ text: the lines in `parameters`, and after them `void matvec(const ap_int<8> w[ROWS][COLUMNS], const ap_int<8> x[COLUMNS], ap_int<24> y[ROWS])`, the product W x.
# * `parameters` defines `ROWS`, `COLUMNS` and `MULTIPLIERS`, whole numbers; `COLUMNS` is a multiple of `MULTIPLIERS`, and both are powers of two. A pragma may name them: `factor=MULTIPLIERS`.
# * The result is exact. Every pipelined loop runs at II = 1, and there is at least one.
# * At most ROWS · COLUMNS / MULTIPLIERS + 16 cycles, in Verilator.
# * On the ECP5, Yosys counts exactly `MULTIPLIERS` hard multipliers.
#
# <details><summary>Hint 1: which loops</summary>Rows, groups of MULTIPLIERS columns, columns of a group. Which of the three becomes hardware side by side, and which two become time?</details>
# <details><summary>Hint 2: the nest</summary>Where does <code>sum</code> begin, if no line may stand between the loop over rows and the loop over groups? And where does it go to <code>y</code>?</details>
# <details><summary>Hint 3: nearly there</summary>PIPELINE as the first line of the loop over groups unrolls what is inside. <code>ap_int&lt;24&gt; before = g == 0 ? ap_int&lt;24&gt;(0) : sum;</code> And each of the copies needs a memory of its own, of w and of x.</details>


# %% matvec_cpp tags=["solution"]
def matvec_cpp(parameters):
    ### BEGIN SOLUTION
    kernel = """
void matvec(const ap_int<8> w[ROWS][COLUMNS], const ap_int<8> x[COLUMNS], ap_int<24> y[ROWS]) {
  #pragma HLS ARRAY_PARTITION variable=w cyclic factor=MULTIPLIERS dim=2
  #pragma HLS ARRAY_PARTITION variable=x cyclic factor=MULTIPLIERS
  ap_int<24> sum = 0;
  for (int r = 0; r < ROWS; r++) {
    for (int g = 0; g < COLUMNS / MULTIPLIERS; g++) {
      #pragma HLS PIPELINE II=1
      ap_int<24> partial = g == 0 ? ap_int<24>(0) : sum;
      for (int m = 0; m < MULTIPLIERS; m++) {
        partial += w[r][g * MULTIPLIERS + m] * x[g * MULTIPLIERS + m];
      }
      sum = partial;
      if (g == COLUMNS / MULTIPLIERS - 1) y[r] = partial;
    }
  }
}
"""
    return parameters + kernel
    ### END SOLUTION


# %% [markdown]
# Read your schedule. Bars of one colour belong to one iteration; a new one begins every II cycles. A row of hardware with gaps between its bars is hardware that waits.

# %% look_matvec
matvec_design = hardware(matvec_cpp(constants(ROWS=8, COLUMNS=16, MULTIPLIERS=4)), "matvec", part="ecp5-25k")
print(matvec_design)
longest = max((one for one in loop_reports(matvec_design.plan) if one.ii), key=lambda one: one.trip)
viz.pipeline(matvec_design.timeline(longest.name), inputs=5)


# %% test_matvec_cpp tags=["test", "core"] points=10 hours=1.5 covers=["custom_hardware", "lo2", "lo3"]
def judge_matvec(rows, columns, count):
    text = matvec_cpp(constants(ROWS=rows, COLUMNS=columns, MULTIPLIERS=count))
    signature = f"matvec(ap_int<8> w[{rows}][{columns}], ap_int<8> x[{columns}]) -> ap_int<24> y[{rows}]"
    design = compiled(text, "matvec", signature, part="ecp5-25k")
    w, x = integers(-128, 128, 9, rows, columns), integers(-128, 128, 9, columns)
    w[0], x[0] = -128, -128
    (run,) = measure([(design, (w, x), {})])
    same(run.results["y"], np.einsum("trc,tc->tr", w, x), name="y of matvec")
    least = rows * columns // count
    assert run.cycles.max() <= least + 16, f"matvec takes {run.cycles.max()} cycles, expected at most {least + 16}."
    assert run.ii and set(run.ii.values()) == {1}, f"its pipelined loops have II {run.ii}, expected 1 in each."
    used = synth(design.verilog, "matvec", "ecp5-25k").resources.dsp
    assert used == count, f"Yosys counts {used} multipliers, expected {count}."


judge_matvec(8, 16, 4)
### BEGIN HIDDEN TESTS
judge_matvec(16, 16, 2)
judge_matvec(4, 32, 8)
### END HIDDEN TESTS

# %% [markdown]
# ### Cycles, before anything runs
#
# Nothing in these circuits ever waits for a cache or for another program. So cycles need no measurement: they can be **known**. A kernel is a list of *regions*, which run one after the other:
#
# * a **block** of operations takes as many cycles as its schedule is deep;
# * a **loop** takes 1 cycle to enter, and then all of its body's regions, trip times;
# * a **pipelined** loop takes what the formula above says.
#
# The kernel takes 1 more, to notice `start`. The cell below writes your `matvec` down in this way, and a kernel whose loops are nested.


# %% regions tags=["setup"]
def regions(design):
    """A kernel's schedule as plain dicts, in the order in which its regions run."""

    def plain(region):
        if isinstance(region, Block):
            return {"kind": "block", "depth": design.plan.schedules[region].depth}
        if region.ii is None:
            return {"kind": "loop", "trip": region.trip, "body": [plain(one) for one in region.body]}
        schedule = design.plan.of_loop(region)
        return {"kind": "pipelined", "trip": region.trip, "depth": schedule.depth, "ii": schedule.ii}

    return [plain(region) for region in design.plan.kernel.regions]


def nested(rows, columns, outer="", inner="#pragma HLS PIPELINE II=1"):
    """Two sums of a matrix: all of it, and row by row."""
    return f"""#include "ap_int.h"
void sums(const ap_int<8> x[{rows}][{columns}], ap_int<24> y[{rows}], ap_int<24> &total) {{
  ap_int<24> all = 0;
  for (int r = 0; r < {rows}; r++) {{
    {outer}
    ap_int<24> sum = 0;
    for (int c = 0; c < {columns}; c++) {{
      {inner}
      sum += x[r][c] * x[r][c];
    }}
    y[r] = sum;
  }}
  for (int r = 0; r < {rows}; r++) {{
    #pragma HLS PIPELINE II=2
    all += y[r];
  }}
  total = all;
}}"""


# %% look_regions
for name, design in {"matvec": matvec_design, "sums": hardware(nested(4, 6), "sums")}.items():
    print(name)
    for region in regions(design):
        print("   ", region)

# %% [markdown]
# **Your task.** `cycles(regions)` returns the cycles of a kernel, an int, from such a list. Loops may be nested to any depth; trip counts are at least 1.
#
# <details><summary>Hint 1: the shape of the answer</summary>A loop's body is a list of regions, as the kernel is. What does that suggest?</details>
# <details><summary>Hint 2: the 1 of the kernel</summary>It is there once, and not once a loop.</details>
# <details><summary>Hint 3: nearly there</summary>An inner function adds up a list and calls itself for a body.</details>


# %% cycles tags=["solution"]
def cycles(regions):
    ### BEGIN SOLUTION
    def of(region):
        if region["kind"] == "block":
            return region["depth"]
        if region["kind"] == "loop":
            return 1 + region["trip"] * sum(map(of, region["body"]))
        return 1 + region["depth"] + region["ii"] * (region["trip"] - 1)

    return 1 + sum(map(of, regions))
    ### END SOLUTION


# %% test_cycles tags=["test", "core"] points=5 hours=0.5 covers=["custom_hardware", "lo3"]
def judge_cycles(kernels):
    """Each kernel is a text with the shape of x; Verilator counts the cycles of all of them in one simulation."""
    designs = [hardware(text, "sums") for text, _ in kernels]
    runs = measure([(one, (integers(-9, 9, 2, *shape),), {}) for one, (_, shape) in zip(designs, kernels, strict=True)])
    for design, run, (_, shape) in zip(designs, runs, kernels, strict=True):
        check.equal(cycles(regions(design)), int(run.cycles[0]), name=f"the cycles of sums, {shape[0]} × {shape[1]}")


judge_cycles([(nested(4, 6), (4, 6))])
### BEGIN HIDDEN TESTS
a, b, c = check.rng.choice(3, 9), check.rng.choice(10, 20), check.rng.choice(2, 6)
judge_cycles([
    (nested(a, b), (a, b)),
    (nested(a, c, inner=""), (a, c)),
    (nested(c, b, inner="#pragma HLS PIPELINE II=3"), (c, b)),
    (nested(b, c, outer="#pragma HLS PIPELINE II=1", inner=""), (b, c)),
])  # fmt: skip
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · An array in which every operand is fetched once
#
# The matrix units of GPUs and TPUs multiply thousands of numbers a cycle. The multipliers are the easy part; feeding them is the hard one. A product of two N × N matrices needs N³ multiplications of 2 N² numbers, so every number is used N times. Fetch it N times, and you need N times the memory ports; send it to N places at
# once, and the wire becomes long, and a long wire is slow.
#
# A **systolic array** (Kung, 1982) does neither. Numbers of A move to the right and numbers of B move down, one cell a cycle. Every cell multiplies what it holds, adds the product to a sum of its own, and passes both numbers on to its neighbours. Row i and column i begin i cycles late, so that the right numbers meet.
#
# Step through it. In which cycle does the last cell begin? When is each cell done?

# %% look_systolic
from lablib.hls.designs.systolic import systolic_trace

viz.systolic_array(
    systolic_trace(np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), np.array([[1, 0, 2], [-1, 3, 1], [2, 1, 0]]))
)

# %% [markdown]
# Cell (i, j) takes its k-th pair in cycle i + j + k. So the last cell ends in cycle (N − 1) + (N − 1) + (N − 1): an array of N × N cells has its first product after **3N − 2 cycles**. The picture then moves the sums out before it begins anew. Yours does not stop: as soon as cell (0, 0) is done with one product
# it begins the next, and from then on there is a product **every N cycles**, in which N² multipliers work without a pause.
#
# In C++ the whole array is one loop over cycles, and its body is unrolled: two loops over the cells. One catch: a cell must take what its left neighbour held in the *last* cycle, not what it has just been given.
#
# **Your task.** `systolic_cpp(parameters)` returns C++ text: the lines in `parameters`, and after them
# `void systolic(const ap_int<8> a[TILES][N][N], const ap_int<8> b[TILES][N][N], ap_int<WIDE> y[TILES][N][N])`, which computes the products Y[t] = A[t] · B[t].
# * `parameters` defines `N` (a power of two), `TILES` and `WIDE`, in which every sum fits.
# * One pipelined loop at II = 1, N² multipliers, exact results.
# * `y` is partitioned completely in dimensions 2 and 3: each cell writes its sums to a memory of its own. (For `a` and `b` you choose what the array needs.)
# * Every cell works in its own time: cell (i, j) writes its sum of product t exactly t · N + i + j cycles after cell (0, 0) writes its first.
# * In all at most TILES · N + 2N − 2 + 8 cycles.
#
# <details><summary>Hint 1: the old value of a neighbour</summary>C++ runs top to bottom. If the cells are visited from the last row and column back to the first, what does <code>right[i][j - 1]</code> still hold when cell (i, j) reads it?</details>
# <details><summary>Hint 2: which product, which step</summary>In cycle t cell (i, j) has done t − i − j steps. Divide by N: what are quotient and remainder? (Before its first step the quotient is not yet one of a product: nothing may be written.)</details>
# <details><summary>Hint 3: nearly there</summary>Row i's number from memory is <code>a[(t - i) / N][i][(t - i) % N]</code>, so each row needs a memory of its own: <code>dim=2</code> of a, and for b <code>dim=3</code>. The three arrays of registers are partitioned <code>complete dim=0</code>.</details>


# %% systolic_cpp tags=["solution"]
def systolic_cpp(parameters):
    ### BEGIN SOLUTION
    kernel = """
void systolic(const ap_int<8> a[TILES][N][N], const ap_int<8> b[TILES][N][N], ap_int<WIDE> y[TILES][N][N]) {
  #pragma HLS ARRAY_PARTITION variable=a complete dim=2
  #pragma HLS ARRAY_PARTITION variable=b complete dim=3
  #pragma HLS ARRAY_PARTITION variable=y complete dim=2
  #pragma HLS ARRAY_PARTITION variable=y complete dim=3
  ap_int<8> right[N][N], down[N][N];
  ap_int<WIDE> sum[N][N];
  #pragma HLS ARRAY_PARTITION variable=right complete dim=0
  #pragma HLS ARRAY_PARTITION variable=down complete dim=0
  #pragma HLS ARRAY_PARTITION variable=sum complete dim=0
  for (int t = 0; t < TILES * N + 2 * N - 2; t++) {
    #pragma HLS PIPELINE II=1
    for (int i = N - 1; i >= 0; i--) {
      for (int j = N - 1; j >= 0; j--) {
        int step = t - i - j;
        ap_int<8> p = j == 0 ? a[(t - i) / N][i][(t - i) % N] : right[i][j - 1];
        ap_int<8> q = i == 0 ? b[(t - j) / N][(t - j) % N][j] : down[i - 1][j];
        right[i][j] = p;
        down[i][j] = q;
        ap_int<WIDE> before = step % N == 0 ? ap_int<WIDE>(0) : sum[i][j];
        sum[i][j] = before + p * q;
        if (step >= 0 && step / N < TILES && step % N == N - 1) y[step / N][i][j] = sum[i][j];
      }
    }
  }
}
"""
    return parameters + kernel
    ### END SOLUTION


# %% [markdown]
# The next cell runs yours and draws when each cell writes: a column is a cycle, and a number is the product that is done. A systolic array shows as a staircase.


# %% written_at tags=["setup"]
def written_at(run, size):
    """The cycles in which each cell of a systolic array writes: an int64 array of shape (size, size, products)."""
    wires = run.simulation.waveform.signals
    begin = max(wires["k0.start"].cycles)  # before it, registers hold what they woke up with
    found = []
    for i, j in np.ndindex(size, size):
        name = f"k0.y_0_{i}_{j}_wen"
        assert name in wires, "y has no memory for each cell: partition it completely in dimensions 2 and 3."
        wire = wires[name]
        ends = [*wire.cycles[1:], run.simulation.waveform.cycles]
        spans = [range(a, b) for a, b, on in zip(wire.cycles, ends, wire.values, strict=True) if on]
        found.append([cycle for span in spans for cycle in span if cycle > begin])
    counts = {len(one) for one in found}
    assert len(counts) == 1, f"cells write {sorted(counts)} times each, expected as often as there are products."
    return np.array(found).reshape(size, size, -1)


# %% look_written
rng = np.random.default_rng(0)
a, b = rng.integers(-128, 128, (2, 1, 3, 4, 4))
systolic_design = hardware(systolic_cpp(constants(N=4, TILES=3, WIDE=18)), "systolic")
(run,) = measure([(systolic_design, (a, b), {})], wave_cycles=60)
times = written_at(run, 4)
print(
    f"{run.cycles[0]} cycles, {multipliers(systolic_design.plan)} multipliers, all right: {np.array_equal(run.results['y'], a @ b)}\n"
)
for i, j in np.ndindex(4, 4):
    row = [str(list(times[i, j]).index(c)) if c in times[i, j] else "·" for c in range(times.min(), times.max() + 1)]
    print(f"cell ({i}, {j})  {'  '.join(row)}")


# %% test_systolic_cpp tags=["test", "core"] points=15 hours=2.0 covers=["custom_hardware", "lo2"]
def judge_systolic(size, tiles):
    wide = 16 + size.bit_length() - 1
    text = systolic_cpp(constants(N=size, TILES=tiles, WIDE=wide))
    shape = f"[{tiles}][{size}][{size}]"
    signature = f"systolic(ap_int<8> a{shape}, ap_int<8> b{shape}) -> ap_int<{wide}> y{shape}"
    design = compiled(text, "systolic", signature)
    count = multipliers(design.plan)
    assert count == size**2, f"it has {count} multipliers, expected one a cell, {size**2}."
    a, b = integers(-128, 128, 1, tiles, size, size), integers(-128, 128, 1, tiles, size, size)
    least = tiles * size + 2 * size - 2
    (run,) = measure([(design, (a, b), {})], wave_cycles=least + 40)
    same(run.results["y"], a @ b, name="y of systolic")
    assert list(run.ii.values()) == [1], f"its pipelined loops have II {run.ii}, expected one loop with 1."
    assert run.cycles[0] <= least + 8, f"it takes {run.cycles[0]} cycles, expected at most {least + 8}."
    times = written_at(run, size)
    i, j, t = np.indices((size, size, tiles))
    same(times - times[0, 0, 0], t * size + i + j, name="cycles in which cells write, after cell (0, 0)'s first")


judge_systolic(4, 3)
### BEGIN HIDDEN TESTS
judge_systolic(2, 5)
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · The digits network on an FPGA
#
# Now the whole of it. The network has 64 inputs, 32 hidden values and 10 outputs, all int8; weights are int8, biases 24 bits. Each layer is that of lab09, with a power of two as its multiplier: `clip((W x + b) >> shift)`.
#
# The part is a Lattice iCE40 HX8K: 7,680 logic cells (a look-up table of 4 inputs, a carry and a flip-flop each), 32 block RAMs of 4,096 bits, **no multiplier**. A product of two bytes takes about 170 cells. So multipliers are what is scarce, and time is what there is: one multiplier that does 2,368 products in a row is a good design.
#
# Where do the weights go? 2,368 bytes are 18,944 bits. A `const` table becomes a ROM in block RAM, which hands out one word a cycle. So one ROM feeds one multiplier, and both work in every cycle if the loop runs at II = 1.


# %% network_parameters tags=["setup"]
def network_parameters(layers):
    """The constants of the network; `layers` are two tuples of weights, bias and shift."""
    (w1, b1, shift1), (w2, b2, shift2) = layers
    sizes = {"INPUTS": w1.shape[1], "HIDDEN": w1.shape[0], "OUTPUTS": w2.shape[0]}
    return constants(**sizes, W1=w1, B1=b1, SHIFT1=shift1, W2=w2, B2=b2, SHIFT2=shift2)


def integer_model(layers, x):
    """What the circuit must compute, in numpy: x of shape (images, inputs)."""
    (w1, b1, shift1), (w2, b2, shift2) = layers
    hidden = np.clip((x @ w1.T + b1) >> shift1, 0, 127)
    return np.clip((hidden @ w2.T + b2) >> shift2, -128, 127)


def place_on_hx8k(design):
    """Its report after placement; an error where it does not fit."""
    guess = design.report.resources.lut
    if guess > 3 * part_of("hx8k").capacity.cells:  # Yosys would need minutes to say so
        raise AssertionError(f"it takes about {guess} look-up tables: it does not fit an HX8K of 7680 cells.")
    return design.place()


def digits_layers():
    """The trained network, its held-out images and their labels."""
    from lablib.hls.designs.digits import digits

    data = digits()
    return [(one.weights, np.asarray(one.bias), one.shift) for one in data.layers], data.images, data.labels


# %% [markdown]
# **Your task.** `network_cpp(parameters)` returns C++ text: the lines in `parameters`, and after them `void network(const ap_int<8> x[INPUTS], ap_int<8> y[OUTPUTS])`.
# * `parameters` defines `INPUTS`, `HIDDEN`, `OUTPUTS`; the tables `W1[HIDDEN][INPUTS]`, `B1[HIDDEN]`, `W2[OUTPUTS][HIDDEN]`, `B2[OUTPUTS]`; and `SHIFT1`, `SHIFT2`.
# * Hidden values are `clip((W1 x + B1) >> SHIFT1, 0, 127)`, outputs `clip((W2 h + B2) >> SHIFT2, -128, 127)`. All logits of all held-out images are those of the integer model, and so are the predictions.
# * At most 3,000 cycles an image, in Verilator; every pipelined loop at II = 1.
# * nextpnr places and routes it on the HX8K.
#
# <details><summary>Hint 1: one layer</summary>It is exercise 1's kernel with PIPELINE in its inner loop, and a shift and two comparisons after the sum.</details>
# <details><summary>Hint 2: how wide is the sum</summary>64 products of 16 bits, and a bias of 24: 25 bits are enough. The two layers can have the same type.</details>
# <details><summary>Hint 3: between the layers</summary>A local array <code>ap_int&lt;8&gt; h[HIDDEN];</code> becomes a memory. The first layer writes it, the second reads it.</details>


# %% network_cpp tags=["solution"]
def network_cpp(parameters):
    ### BEGIN SOLUTION
    kernel = """
void network(const ap_int<8> x[INPUTS], ap_int<8> y[OUTPUTS]) {
  ap_int<8> h[HIDDEN];
  for (int n = 0; n < HIDDEN; n++) {
    ap_int<25> sum = B1[n];
    for (int k = 0; k < INPUTS; k++) {
      #pragma HLS PIPELINE II=1
      sum += W1[n][k] * x[k];
    }
    ap_int<25> scaled = sum >> SHIFT1;
    h[n] = scaled < 0 ? ap_int<25>(0) : scaled > 127 ? ap_int<25>(127) : scaled;
  }
  for (int n = 0; n < OUTPUTS; n++) {
    ap_int<25> sum = B2[n];
    for (int k = 0; k < HIDDEN; k++) {
      #pragma HLS PIPELINE II=1
      sum += W2[n][k] * h[k];
    }
    ap_int<25> scaled = sum >> SHIFT2;
    y[n] = scaled < -128 ? ap_int<25>(-128) : scaled > 127 ? ap_int<25>(127) : scaled;
  }
}
"""
    return parameters + kernel
    ### END SOLUTION


# %% [markdown]
# **Predict first.** The compiler was asked for a clock of 50 MHz. Your function from exercise 2 says how many cycles an image takes. So you can write down how long an image takes before anything has run. (The prediction is locked. To start over, delete `predictions.json` beside this notebook.)

# %% lock_prediction
layers, images, labels = digits_layers()
network_design = hardware(network_cpp(network_parameters(layers)), "network", clock_mhz=50.0)
predicted_cycles = cycles(regions(network_design))
predicted_us = check.lock("µs an image on the HX8K at 50 MHz", predicted_cycles / 50)
print(network_design)

# %% [markdown]
# Now measure. Verilator runs the circuit on all 360 images; Yosys and nextpnr place it (about 15 s the first time).

# %% look_network
(network_run,) = measure([(network_design, (images,), {})])
predictions = network_run.results["y"].argmax(axis=1)
exact = np.array_equal(network_run.results["y"], integer_model(layers, images))
placed = place_on_hx8k(network_design)
fpga_us = network_run.cycles[0] / placed.fmax_mhz
print(
    f"all logits equal the integer model's: {exact}; {(predictions == labels).sum()} of {len(labels)} images are right"
)
print(f"cycles: {predicted_cycles} predicted, {network_run.cycles.min()} to {network_run.cycles.max()} counted")
print(f"time of an image: {predicted_us:.1f} µs predicted, {fpga_us:.1f} µs at nextpnr's {placed.fmax_mhz:.1f} MHz")
print(placed.notes[-1])
viz.resource_bars(placed, part_of("hx8k"))


# %% test_network_cpp tags=["test", "core"] points=15 hours=2.0 covers=["custom_hardware", "quantisation", "lo2"]
def judge_network(layers, x):
    """Compile for these layers, simulate, and compare every logit; returns the circuit."""
    (w1, _, _), (w2, _, _) = layers
    signature = f"network(ap_int<8> x[{w1.shape[1]}]) -> ap_int<8> y[{len(w2)}]"
    design = compiled(network_cpp(network_parameters(layers)), "network", signature)
    (run,) = measure([(design, (x,), {})])
    same(run.results["y"], integer_model(layers, x), name="the logits")
    assert run.cycles.max() <= 3000, f"an image takes {run.cycles.max()} cycles, expected at most 3000."
    assert set(run.ii.values()) <= {1}, f"its pipelined loops have II {run.ii}, expected 1 in each."
    return design


trained, held_out, _ = digits_layers()
design = judge_network(trained, held_out)
### BEGIN HIDDEN TESTS
drawn = [
    (integers(-128, 128, 32, 64), integers(-20000, 20000, 32), 8),
    (integers(-128, 128, 10, 32), integers(-20000, 20000, 10), 7),
]
second = judge_network(drawn, integers(-128, 128, 64, 64))
placed_here = place_on_hx8k(design)
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · One multiplier or many (stretch)
#
# There are other ways to describe hardware. **DSLX** is the language of Google's XLS. It reads like Rust, has integers of any width, and knows two kinds of design:
#
# * a **function** is a pipeline: inputs on the left, results on the right, a new input every cycle. Its loops become hardware side by side;
# * a **proc** has state. It receives from a channel, computes, perhaps sends, and begins again. Time passes in its state.
#
# A channel is three wires: data, **valid** (the sender has something) and **ready** (the receiver takes it). A value moves in a cycle in which both are high, and in no other. Whoever breaks this rule loses or doubles values as soon as the other side pauses, and not before, which is why the fault is seldom found in the
# first test.
#
# This proc adds up groups of four. Look at where it sends, and where it begins anew.

# %% look_dslx
from lablib.hls.magics import dslx

sum_of_four_x = """
proc sum_of_four {
    x: chan<s8> in;
    y: chan<s16> out;
    config(x: chan<s8> in, y: chan<s16> out) { (x, y) }
    init { (s16:0, u8:0) }
    next(state: (s16, u8)) {
        let (sum, k) = state;
        let (tok, value) = recv(join(), x);
        let sum = sum + (value as s16);
        let last = k == u8:3;
        send_if(tok, y, last, sum);
        if last { (s16:0, u8:0) } else { (sum, k + u8:1) }
    }
}
"""
dslx("sum_of_four_x", sum_of_four_x.strip(), globals())

# %% [markdown]
# **Your task.** The same dot product of two vectors of n numbers, twice: with n multipliers, and with one.
# * `spatial_dslx(n)` returns DSLX text with `pub fn dot(x: s8[n], w: s8[n]) -> s32` (the number itself in the place of n). A dot product every cycle; n hard multipliers on the ECP5.
# * `serial_dslx(n)` returns DSLX text with `proc mac`, whose channels are `xw: chan<s8[2]> in`, a pair of x[k] and w[k], and `y: chan<s32> out`. It receives n pairs for each dot product and then sends it, and goes on with the next: n cycles for each, one hard multiplier.
# * Both are exact. The proc is right also when its neighbours pause at random. 2 ≤ n ≤ 32.
#
# <details><summary>Hint 1: a loop in a function</summary><code>for (i, sum): (u32, s32) in u32:0..u32:8 { sum + … }(s32:0)</code>: what the body gives is the next <code>sum</code>.</details>
# <details><summary>Hint 2: widths</summary>s8 times s8 is s8 in DSLX. <code>x[i] as s32</code> makes it wide first.</details>
# <details><summary>Hint 3: nearly there</summary>The proc is <code>sum_of_four</code> with a pair in the place of a value: <code>(pair[0] as s32) * (pair[1] as s32)</code>.</details>


# %% spatial_dslx tags=["solution"]
def spatial_dslx(n):
    ### BEGIN SOLUTION
    return f"""
pub fn dot(x: s8[{n}], w: s8[{n}]) -> s32 {{
    for (i, sum): (u32, s32) in u32:0..u32:{n} {{
        sum + (x[i] as s32) * (w[i] as s32)
    }}(s32:0)
}}
"""
    ### END SOLUTION


def serial_dslx(n):
    ### BEGIN SOLUTION
    return f"""
proc mac {{
    xw: chan<s8[2]> in;
    y: chan<s32> out;
    config(xw: chan<s8[2]> in, y: chan<s32> out) {{ (xw, y) }}
    init {{ (s32:0, u8:0) }}
    next(state: (s32, u8)) {{
        let (sum, k) = state;
        let (tok, pair) = recv(join(), xw);
        let sum = sum + (pair[0] as s32) * (pair[1] as s32);
        let last = k == u8:{n - 1};
        send_if(tok, y, last, sum);
        if last {{ (s32:0, u8:0) }} else {{ (sum, k + u8:1) }}
    }}
}}
"""
    ### END SOLUTION


# %% xls_runs tags=["setup"]
def spatial_verilog(text):
    """The pipeline that XLS makes of `dot` for a clock of 5 ns in its model of a chip."""
    from lablib.hls.xls import xls_function
    from lablib.hls.xls_schedule import schedule

    return schedule(xls_function(text, "dot"), clock_ps=5000).verilog


def serial_verilog(text):
    from lablib.hls.xls import xls_proc
    from lablib.hls.xls_schedule import schedule

    return schedule(xls_proc(text, "mac"), clock_ps=5000).verilog


def run_spatial(verilog, x, w):
    from lablib.hls.rtlsim import rtlsim

    return rtlsim(verilog, "dot", {"x": x, "w": w}, elements={"out": "s32"})


def run_serial(verilog, x, w, pauses=0.0):
    """The pairs of all vectors one after the other; `pauses` is the share of cycles in which a neighbour waits."""
    from lablib.hls.rtlsim import rtlsim

    pairs = np.stack([x, w], axis=-1).reshape(-1, 2)
    wires = {"in_valid": "xw_vld", "in_ready": "xw_rdy", "out_valid": "y_vld", "out_ready": "y_rdy"}
    names = {role: f"design__{wire}" for role, wire in wires.items()}
    how = {"elements": {"design__y": "s32"}, "results": len(x), "names": names, "pauses": pauses}
    return rtlsim(verilog, "mac", {"design__xw": pairs}, idle_cycles=1000, **how)


# %% look_dot
x, w = np.random.default_rng(0).integers(-128, 128, (2, 20, 8))
both = {"8 multipliers": spatial_verilog(spatial_dslx(8)), "1 multiplier": serial_verilog(serial_dslx(8))}
runs = [run_spatial(both["8 multipliers"], x, w), run_serial(both["1 multiplier"], x, w)]
for (name, verilog), run, top in zip(both.items(), runs, ("dot", "mac"), strict=True):
    used, each = synth(verilog, top, "ecp5-25k").resources, run.report.cycles / len(x)
    print(
        f"{name:13}: {each:.1f} cycles a dot product, {used.dsp} DSP, {used.lut} LUT; cycles × LUT = {each * used.lut:.0f}"
    )


# %% test_spatial_dslx tags=["test", "stretch"] points=10 hours=1.5 covers=["custom_hardware", "lo3"]
def judge_dot(n, pauses):
    from lablib.hls.confined import confined_dslx

    spatial, serial = spatial_verilog(confined_dslx(spatial_dslx(n))), serial_verilog(confined_dslx(serial_dslx(n)))
    x, w = integers(-128, 128, 30, n), integers(-128, 128, 30, n)
    x[0] = w[0] = -128
    wanted = (x * w).sum(axis=1)
    run = run_spatial(spatial, x, w)
    same(run.outputs["out"].ravel(), wanted, name="dot of spatial_dslx")
    run = run_serial(serial, x, w)
    same(run.outputs["design__y"].ravel(), wanted, name="y of serial_dslx")
    assert 30 * n <= run.report.cycles + 4 <= 30 * n + 12, (
        f"30 dot products take {run.report.cycles} cycles, expected {30 * n}."
    )
    run = run_serial(serial, x, w, pauses)
    same(run.outputs["design__y"].ravel(), wanted, name="y of serial_dslx, while its neighbours pause")
    for verilog, top, count in ((spatial, "dot", n), (serial, "mac", 1)):
        used = synth(verilog, top, "ecp5-25k").resources.dsp
        assert used == count, f"Yosys counts {used} multipliers in {top}, expected {count}."


judge_dot(8, pauses=0.3)
### BEGIN HIDDEN TESTS
judge_dot(13, pauses=0.5)
### END HIDDEN TESTS

# %% [markdown]
# ## 6 · Products without multipliers (stretch)
#
# The weights of a trained network do not change. A product with a number that is known when the circuit is made needs no multiplier: 7 x = 8 x − x, and a shift by a constant is only a wire. **The weights become the circuit.**
#
# How many additions does a weight cost? Written in binary, 7 = 4 + 2 + 1 takes two. With digits −1, 0 and 1 it is 8 − 1: one. Every number has exactly one spelling in which no two digits beside each other are other than 0, its **canonical signed digits**, and no spelling has fewer digits that are not 0. A third of the
# digits are not 0 on average, where binary has a half.
#
# ```text
# 7   =    1 1 1   =  1 0 0 -1        2 additions, 1 subtraction
# 119 =  1110111   =  1 0 0 0 -1 0 0 -1       5 additions, 2 subtractions
# ```
#
# To find them from the lowest bit up: an even number has digit 0. An odd number has 1 or −1, whichever leaves a multiple of 4. Take the digit off, halve, go on.
#
# **Your task.** `shift_add_cpp(weights)` returns the whole C++ text of `void product(const ap_int<8> x[COLUMNS], int y[ROWS])`, y = W x, for these weights.
# * `weights`: numpy int64, shape (ROWS, COLUMNS), from −128 to 127. The sizes in the signature are numbers. Each row has at least one weight above 0.
# * The results are exact. `x` and `y` are partitioned completely, and nothing loops at run time: the schedule has one block.
# * In the circuit are additions, subtractions and shifts by constants, and nothing else: no product, not even by a constant, and no table. There are at most as many additions and subtractions as canonical signed digits need: the number of digits other than 0 in all weights, less one a row.
#
# <details><summary>Hint 1: a generator</summary>Your Python writes one line of C++ a row. Which terms does it have? <code>(x3 &lt;&lt; 4)</code> is one.</details>
# <details><summary>Hint 2: the widths of a shift</summary>In C++ a shift of ap_int&lt;8&gt; stays 8 bits wide. <code>int x3 = x[3];</code> first.</details>
# <details><summary>Hint 3: nearly there</summary>With <code>d = 2 - n % 4</code> for odd n (Python's % is never negative here), d is the digit: n − d is a multiple of 4. A leading minus is a subtraction too, and costs one: let a row begin with a positive term where it has one.</details>


# %% shift_add_cpp tags=["solution"]
def shift_add_cpp(weights):
    ### BEGIN SOLUTION
    def digits_of(n):
        found, place = [], 0
        while n:
            if n % 2:
                digit = 2 - n % 4
                found.append((digit, place))
                n -= digit
            n, place = n // 2, place + 1
        return found

    rows, columns = weights.shape
    lines = [
        '#include "ap_int.h"', f"void product(const ap_int<8> x[{columns}], int y[{rows}]) {{",
        "  #pragma HLS ARRAY_PARTITION variable=x complete", "  #pragma HLS ARRAY_PARTITION variable=y complete",
        *(f"  int x{k} = x[{k}];" for k in range(columns)),
    ]  # fmt: skip
    for n, row in enumerate(weights.tolist()):
        terms = [(digit, f"(x{k} << {place})") for k, weight in enumerate(row) for digit, place in digits_of(weight)]
        terms.sort(key=lambda term: -term[0])
        text = "".join(f" {'+' if digit > 0 else '-'} {term}" for digit, term in terms)
        lines.append(f"  y[{n}] = {text.removeprefix(' + ')};")
    return "\n".join([*lines, "}", ""])
    ### END SOLUTION


# %% [markdown]
# da4ml, a tool for networks in particle physics, goes further: it finds sums that several rows need, and makes them once. Compare.

# %% look_shift_add
from lablib.hls.da import da_dense
from lablib.hls.designs.dense import DenseLayer

weights = np.random.default_rng(0).integers(-128, 128, (4, 8))
shifted = hardware(shift_add_cpp(weights), "product")
counted = synth(shifted.verilog, "product", "ecp5-25k").resources
shared = synth(da_dense(DenseLayer(weights)).verilog, "dense", "ecp5-25k").resources
print(
    f"yours: {counted.lut} LUT, {counted.dsp} DSP;  da4ml: {shared.lut} LUT, {shared.dsp} DSP (it also clips to 8 bits)"
)
print(f"with multipliers it would be {weights.size} DSP, of which the ECP5 25K has {part_of('ecp5-25k').capacity.dsp}")


# %% test_shift_add_cpp tags=["test", "stretch"] points=10 hours=1.5 covers=["custom_hardware", "lo3"]
def least_digits(n):
    """Digits of -1, 0 and 1 that are not 0, at least: those in which 3n and n differ."""
    return bin(abs(n) ^ 3 * abs(n)).count("1")


def judge_shift_add(weights):
    rows, columns = weights.shape
    signature = f"product(ap_int<8> x[{columns}]) -> int y[{rows}]"
    design = compiled(shift_add_cpp(weights.copy()), "product", signature)
    kernel = design.plan.kernel
    kinds = [value.kind for block in blocks(kernel.regions) for value in block.values]
    foreign = sorted(set(kinds) - {"get", "put", "add", "sub", "shl", "shr", "cut"})
    assert not foreign, f"the circuit has operations of the kind {', '.join(foreign)}, expected additions and shifts."
    digits = sum(least_digits(one) for one in weights.ravel().tolist()) - rows
    adders = sum(kind in ("add", "sub") for kind in kinds)
    assert adders <= digits, f"it has {adders} additions and subtractions, expected at most {digits}."
    x = integers(-128, 128, 40, columns)
    x[0], x[1] = -128, 127
    (run,) = measure([(design, (x,), {})])
    same(run.results["y"], x @ weights.T, name="y of product")


judge_shift_add(np.array([[7, 0, -3], [119, -128, 1]]))
### BEGIN HIDDEN TESTS
weights = integers(-128, 128, 3, 7)
weights[0, 2], weights[1, :4], weights[:, 6] = 0, (127, -128, 91, -1), np.abs(weights[:, 6]) % 127 + 1
judge_shift_add(weights)
### END HIDDEN TESTS

# %% [markdown]
# ## 7 · Diagnose, measure and explain
#
# ### Diagnose from counters
#
# A loop is slower than you hoped. On a chip you see no schedule; you see counters. Here are those of six loops, all of them right.


# %% counters tags=["setup"]
def counters(text):
    """What can be counted of the one loop of a kernel: in its run, in one iteration, and in what it was given."""
    design = hardware(text, "kernel")
    (loop,) = loop_reports(design.plan)
    (body,) = [
        one for region in design.plan.kernel.regions if not isinstance(region, Block) for one in blocks([region])
    ]
    loads = [value.data.name for value in body.values if value.kind == "load"]
    products = sum(value.kind == "mul" for value in body.values)
    return {
        "iterations": loop.trip,
        "loop_cycles": loop.latency,  # of the whole loop; Verilator counts the same
        "iteration_cycles": loop.iteration_latency,  # from an iteration's first operation to its last
        "reads_of_one_memory": max(map(loads.count, loads)),  # in an iteration, of the busiest memory; one a cycle
        "products": products,  # in an iteration
        "multipliers": design.plan.kernel.limits.get("mul", products),  # that may be built
    }


def loop_kernel(n, unroll=1, banks=1, limit=0, pipelined=True, body="sum += x[i] * w[i];"):
    """A kernel with one loop of n steps."""
    inner = ["#pragma HLS PIPELINE II=1"] * pipelined + [f"#pragma HLS UNROLL factor={unroll}"] * (unroll > 1)
    outer = [f"#pragma HLS ALLOCATION operation instances=mul limit={limit}"] * (limit > 0)
    outer += [f"#pragma HLS ARRAY_PARTITION variable={v} cyclic factor={banks}" for v in "xw" if banks > 1]
    lines = [
        '#include "ap_int.h"',
        f"void kernel(const ap_int<8> x[{n}], const ap_int<8> w[{n}], ap_int<24> h[16], ap_int<24> &y) {{",
        *outer, "ap_int<24> sum = 0;", f"for (int i = 0; i < {n}; i++) {{", *inner, body, "}", "y = sum;", "}",
    ]  # fmt: skip
    return "\n".join(lines)


VISIBLE = {
    "A": loop_kernel(32),
    "B": loop_kernel(32, unroll=4),
    "C": loop_kernel(32, unroll=4, banks=4, limit=2),
    "D": loop_kernel(32, body="h[x[i] & 15] += w[i];"),
    "E": loop_kernel(32, pipelined=False),
    "F": loop_kernel(32, unroll=2, banks=2),
}

# %% look_counters
table = {name: counters(text) for name, text in VISIBLE.items()}
print(" " * 20, *(f"{name:>5}" for name in table))
for counter in table["A"]:
    print(f"{counter:20}", *(f"{table[name][counter]:5}" for name in table))

# %% [markdown]
# **Your task.** `diagnose(c)` takes such a dict and returns what keeps the loop from starting an iteration every cycle:
# * `"not pipelined"`: each iteration waits for the end of the one before;
# * `"ports"`: the reads of one memory;
# * `"multipliers"`: products take turns on the multipliers that may be built;
# * `"recurrence"`: neither; an iteration needs a value that the one before has not finished;
# * `"healthy"`: nothing does.
#
# Several things may be scarce; the answer is the one that sets the pace. Loops have at least 4 iterations, and a pipelined one begins its next iteration before the last has ended.
#
# <details><summary>Hint 1: the pace</summary>Solve 1 + D + II · (trip − 1) for II.</details>
# <details><summary>Hint 2: two bounds</summary>Five reads of one memory take five cycles. How many do seven products on two multipliers take?</details>
# <details><summary>Hint 3: nearly there</summary>Which of the bounds is equal to the II that you found? If none is, what is left?</details>


# %% diagnose tags=["solution"]
def diagnose(c):
    ### BEGIN SOLUTION
    if c["loop_cycles"] == 1 + c["iterations"] * c["iteration_cycles"]:
        return "not pipelined"
    ii = (c["loop_cycles"] - 1 - c["iteration_cycles"]) // (c["iterations"] - 1)
    if ii == 1:
        return "healthy"
    if ii == c["reads_of_one_memory"]:
        return "ports"
    return "multipliers" if c["products"] and ii == -(-c["products"] // c["multipliers"]) else "recurrence"
    ### END SOLUTION


# %% test_diagnose tags=["test", "core"] points=5 hours=0.75 covers=["custom_hardware", "lo1"]
faults = ["healthy", "ports", "multipliers", "recurrence", "not pipelined", "healthy"]
found = [diagnose(counters(text)) for text in VISIBLE.values()]
check.equal(found, faults, name="your diagnoses of A to F")
### BEGIN HIDDEN TESTS
n = 8 * check.rng.choice(3, 9)
hidden = [
    ("healthy", loop_kernel(n, unroll=4, banks=4)),
    ("ports", loop_kernel(n, unroll=8, banks=2)),
    ("ports", loop_kernel(n, unroll=4, limit=2)),
    ("multipliers", loop_kernel(n, unroll=4, banks=2, limit=1)),
    ("multipliers", loop_kernel(n, unroll=8, banks=8, limit=3)),
    ("recurrence", loop_kernel(n, body="sum = sum * x[i] + w[i];")),
    ("recurrence", loop_kernel(n, unroll=2, banks=2, body="h[x[i] & 15] += w[i];")),
    ("not pipelined", loop_kernel(n, pipelined=False, body="h[x[i] & 15] += w[i];")),
]
for fault, text in hidden:
    check.equal(diagnose(counters(text)), fault, name="the diagnosis of a loop")
### END HIDDEN TESTS

# %% [markdown]
# ### The same network on three kinds of machine
#
# A CPU runs it here, now: numpy, one image a call and 4,096 a call. An H200 ran it when `benchmarks/lab12.py` measured that; its figures lie in `assets/gpu.json`. The FPGA's time is cycles over clock, your circuit first and then four that lablib's hand-written Verilog gives,
# with 1 to 8 multipliers. Each computes the same integers.


# %% look_machines
def on_numpy(layers):
    """The network in float32, whose sums of whole numbers stay below 2^24 and so are exact."""
    parts = [(w.T.astype(np.float32), b.astype(np.float32), np.float32(2.0**-s)) for w, b, s in layers]

    def network(x):
        (w1, b1, s1), (w2, b2, s2) = parts
        h = np.clip(np.floor((x @ w1 + b1) * s1), 0, 127)
        return np.clip(np.floor((h @ w2 + b2) * s2), -128, 127)

    return network


def median_seconds(call, times):
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return float(np.median(taken))


network, many = on_numpy(layers), images[np.arange(4096) % len(images)].astype(np.float32)
assert np.array_equal(network(many[:360]), integer_model(layers, images))
cpu_one, cpu_many = median_seconds(lambda: network(many[:1]), 2000), median_seconds(lambda: network(many), 50)
rows = [
    ("this CPU, numpy, one image a call", cpu_one, 1 / cpu_one),
    ("this CPU, numpy, 4096 a call", cpu_many, 4096 / cpu_many),
]
gpu_result = json.loads(Path("assets/gpu.json").read_text())
for row in gpu_result["digits network, 64 → 32 → 10"]:
    name = f"{gpu_result['machine']}, {row['how']}, {row['batch']} a call"
    rows.append((name, row["seconds"], row["batch"] / row["seconds"]))
rows.append(("FPGA HX8K, your circuit", fpga_us / 1e6, 1e6 / fpga_us))
placed_networks = json.loads(Path("assets/networks.json").read_text())
for one in placed_networks:
    us = one["cycles"] / one["fmax_mhz"]
    rows.append((f"FPGA HX8K, Verilog, {one['multipliers']} multipliers", us / 1e6, 1e6 * one["fmax_mhz"] / one["ii"]))
print(f"{'':42} {'one call':>12} {'images a second':>16}")
for name, seconds, rate in rows:
    print(f"{name:42} {1e6 * seconds:9.1f} µs {rate:16,.0f}")

# %% [markdown]
# A time of a call on the CPU or the GPU begins with the pixels in its memory, as the FPGA's does. There is no column for energy: nobody measured the board, and no free tool estimates the power of an iCE40 from a simulation. A number without a source would be a guess.
#
# What does more hardware buy on the FPGA? Your circuit is among these. (Its report says how many multipliers it has. The two layers never run at the same time: which pragma of exercise 2 would let them share one?)

# %% look_networks
fronts = {
    f"{one['multipliers']} multipliers": SimpleNamespace(
        latency_cycles=one["cycles"], latency_ns=1e3 * one["cycles"] / one["fmax_mhz"], ii=one["ii"],
        fmax_mhz=one["fmax_mhz"], resources=SimpleNamespace(cells=one["cells"]),
    )
    for one in placed_networks
}  # fmt: skip
fronts["yours"] = SimpleNamespace(
    latency_cycles=int(network_run.cycles[0]), latency_ns=1e3 * fpga_us, ii=1.0 * network_design.report.ii,
    fmax_mhz=placed.fmax_mhz, resources=placed.resources,
)  # fmt: skip
viz.latency_area(fronts, area="cells", unit="ns")

# %% [markdown]
# **Explain** (in at most 200 words, in the cell below).
# 1. You locked a time for an image before anything ran. Which of its two factors was exact, which was not, and why can a tool know the one before placement but not the other?
# 2. Your circuit has a clock 30 to 40 times slower than the CPU's and multiplies one pair a cycle. Compare its time for one image with the CPU's, from your table. What does the CPU do in that time, besides 2,368 multiplications? Support it with a number: its time for one image of a call of 4,096.
# 3. From 1 to 8 multipliers the cycles do not fall by 8, and the cells do not grow by 8. Give the two numbers and a reason for each.

# %% explain_machines [markdown] tags=["manual", "core"] points=10 hours=0.75 covers=["custom_hardware", "commodity_hardware", "lo2", "lo3"]
# ### BEGIN SOLUTION
# 1. The cycles were exact: 2,623 predicted, 2,623 for every image. They follow from the schedule alone, since nothing waits. The clock was not: 50 MHz were asked for, nextpnr reached 84. A clock is set by the slowest path, half of which is wires, and how long a wire is is known only when cells have places. So 52.5 µs became 31.1 µs.
# 2. For one image numpy took 11.6 µs here, the circuit 31.1 µs: a factor of 2.7, for a clock 35 times slower and one product a cycle. In a call of 4,096 an image costs the CPU 0.11 µs. So 99% of its 11.6 µs are not arithmetic: they go to a dozen calls of numpy, each of which checks types, allocates a result and finds the right loop. The circuit has none of this; its time is its products.
# 3. Cycles fall from 2,440 to 400, by 6.1: taking in 64 pixels, draining the pipeline and writing results take the same time with 8 multipliers, and 10 rows fill 8 lanes only once and a quarter (Amdahl's law). Cells grow from 536 to 2,109, by 3.9: only multipliers and accumulators are copied, while control, addresses, shift and clipping are there once.
# ### END SOLUTION

# %% rubric_explain_machines [markdown] tags=["rubric"]
# **10 points.**
# * 3: cycles exact, clock not (1); cycles follow from the schedule, since nothing waits (1); the clock depends on wires, which are known after placement only (1).
# * 4: both times from the student's own table (1); the CPU's cost an image at 4,096 a call (1); concludes that most of the time of one call is overhead of calls, and names what it is (2). Where somebody's numbers say otherwise: full marks for a conclusion that follows from them.
# * 3: about 6 × fewer cycles and about 4 × more cells (1); a part that does not become parallel: input, drain, the last pass of rows (1); a part that is not copied: control, addresses, clipping (1).
# * Energy claims without a measurement or a cited source earn nothing and cost nothing.

# %% record_figures
from lablib.ledger import record

# Your figures are kept in labs/ledger.json: lab18 fills the tables of its claims and its essay from there.
record("lab12_fpga_hls", {
    "vision_fpga_us": lambda: fpga_us,
    "vision_cpu_us": lambda: 1e6 * cpu_one,
    "vision_cpu_us_in_4096": lambda: 1e6 * cpu_many / 4096,
    "vision_fpga_cycles": lambda: network_run.cycles[0],
    "vision_fpga_cells": lambda: placed.resources.cells,
})  # fmt: skip

# %% [markdown]
# ## What to take along
#
# * A width is a cost that you choose. An interval bound proves that it is enough; a test set does not.
# * II, trip count and depth give the cycles of any loop, exactly. An II of 1 in a short loop buys little.
# * Memory ports are what multipliers wait for. Partition, or reuse: a systolic array fetches every operand once.
# * Cycles are known from the schedule, the clock only after placement.
# * Fixed weights may become wires; then no multiplier is left.
#
# **Next:** lab13 searches over such designs by itself. lab18 takes a model of yours through compression, a kernel, and a circuit.
#
# **Sources**
# * H. T. Kung: *Why systolic architectures?*, IEEE Computer 15(1), 1982.
# * B. Jacob et al.: *Quantization and training of neural networks for efficient integer-arithmetic-only inference*, CVPR 2018, arXiv:1712.05877. The integer layer.
# * A. Avizienis: *Signed-digit number representations for fast parallel arithmetic*, IRE Transactions on Electronic Computers EC-10, 1961; G. W. Reitwiesner: *Binary arithmetic*, Advances in Computers 1, 1960. Canonical signed digits.
# * C. Sun et al.: *da4ml: Distributed arithmetic for real-time neural networks on FPGAs*, arXiv:2507.04535, 2025.
# * AMD: *Vitis HLS user guide* (UG1399). The pragmas and their meaning. Google: *XLS: accelerated HW synthesis*, google.github.io/xls. DSLX, channels.
# * Lattice: *iCE40 LP/HX family data sheet* (FPGA-DS-02029). Cells, block RAMs.
# * Digits: E. Alpaydin and C. Kaynak, *Optical recognition of handwritten digits*, UCI Machine Learning Repository, 1998, CC BY 4.0. Network: `lablib.hls.designs.train_digits`.
