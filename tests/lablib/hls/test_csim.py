"""Kernels in HLS C++ give, bit for bit, what integer arithmetic in numpy gives, and cannot harm the notebook."""

from __future__ import annotations

import importlib
import itertools
import os
import re

import numpy as np
import pytest
import torch

from lablib.hls import cpp_source
from lablib.hls.cpp_faults import KernelCrashed
from lablib.hls.csim import csim
from lablib.hls.engines import Package, Program
from lablib.hls.errors import EngineMissing, HardwareError, ToolTimeout
from lablib.hls.source_errors import SourceRefused

VECTORS = 1000
QUANTISATIONS = ("AP_TRN", "AP_TRN_ZERO", "AP_RND", "AP_RND_ZERO", "AP_RND_INF", "AP_RND_MIN_INF", "AP_RND_CONV")
OVERFLOWS = ("AP_WRAP", "AP_SAT", "AP_SAT_ZERO", "AP_SAT_SYM")

DENSE = """
#include "ap_fixed.h"
typedef ap_fixed<16, 6> T;

void dense(T x[16], const T w[8][16], T y[8]) {
  #pragma HLS ARRAY_PARTITION variable=x complete
  for (int i = 0; i < 8; i++) {
    #pragma HLS PIPELINE II=1
    T acc = 0;
    for (int j = 0; j < 16; j++) acc += x[j] * w[i][j];
    y[i] = acc > T(0) ? acc : T(0);
  }
}
"""

INTEGERS = """
#include "ap_int.h"

bool integers(ap_int<8> a, ap_uint<8> b, short c, ap_int<12> &sum, ap_uint<64> &top, int8_t low[2], float &half) {
  sum = a * b + c;
  top = ap_uint<64>(b) << 56;
  low[0] = a + b;
  low[1] = b.range(7, 4);
  half = 0.5f * c;
  return a > 0;
}
"""

STREAMS = """
#include "ap_int.h"
#include "hls_stream.h"

void pairs(hls::stream<ap_int<8>> &in, hls::stream<ap_int<9>> &out, int count) {
  for (int i = 0; i < count; i++) {
    ap_int<8> first = in.read(), second;
    in >> second;
    out << first + second;
  }
}
"""


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def body(text: str) -> str:
    """A kernel whose third line is `text`."""
    return f"#include <cstdio>\nvoid broken(int x[8], int y[8]) {{\n  {text}\n}}\n"


def quantised(value: np.ndarray, width: int, fraction: int, quantisation: str, overflow: str) -> np.ndarray:
    """ap_fixed by the book, on values that are multiples of 2^-20, as integers behind the binary point."""
    parts = np.rint(np.ldexp(value, 20)).astype(np.int64)
    step = 1 << (20 - fraction)
    low, rest = parts // step, parts % step
    negative, tie = parts < 0, 2 * rest == step
    nearest = low + (2 * rest > step)
    raw = {
        "AP_TRN": low,
        "AP_TRN_ZERO": low + (negative & (rest > 0)),
        "AP_RND": nearest + tie,
        "AP_RND_ZERO": nearest + (tie & negative),
        "AP_RND_INF": nearest + (tie & ~negative),
        "AP_RND_MIN_INF": nearest,
        "AP_RND_CONV": nearest + (tie & (low % 2 == 1)),
    }[quantisation]
    least, most = -(1 << (width - 1)), (1 << (width - 1)) - 1
    if overflow == "AP_WRAP":
        return (raw - least) % (1 << width) + least
    if overflow == "AP_SAT_ZERO":
        return np.where((raw < least) | (raw > most), 0, raw)
    return np.clip(raw, -most if overflow == "AP_SAT_SYM" else least, most)


def test_a_dense_layer_is_exact() -> None:
    x, w = (rng().integers(-(2**15), 2**15, shape) for shape in ((VECTORS, 16), (8, 16)))
    x[0], x[1], x[2] = 2**15 - 1, -(2**15), 0
    kernel = csim(DENSE, "dense")
    y = kernel(x / 2**10, w / 2**10)
    accumulated = np.zeros((VECTORS, 8), np.int64)
    for j in range(16):  # each sum is cut to 10 fraction bits and wraps at 16 bits
        accumulated = ((accumulated * 2**10 + x[:, [j]] * w[:, j]) >> 10) + 2**15 & 0xFFFF
        accumulated -= 2**15
    assert y.dtype == np.float64
    assert np.array_equal(kernel.signature.results[0].number.raw(y), np.maximum(accumulated, 0))
    assert np.array_equal(kernel(x[0] / 2**10, w / 2**10), y[0])


def test_every_rounding_and_overflow_is_that_of_the_type() -> None:
    modes = list(itertools.product(QUANTISATIONS, OVERFLOWS))
    parameters = ", ".join(f"ap_fixed<8, 4, {q}, {o}> &y{i}" for i, (q, o) in enumerate(modes))
    text = "".join(f"  y{i} = x;\n" for i in range(len(modes)))
    source = f'#include "ap_fixed.h"\nvoid modes(ap_fixed<32, 12> x, {parameters}) {{\n{text}}}\n'
    corners = [0, 2**-4, -(2**-4), 2**-5, -(2**-5), 3 * 2**-5, 7.9375, 7.96875, 8, -8, -8.03125, -7.9375, 2047, -2048]
    x = np.concatenate([corners, rng().integers(-(2**31), 2**31, VECTORS) / 2**20, rng().integers(-600, 600, 600) / 64])
    kernel = csim(source, "modes")
    for (quantisation, overflow), y in zip(modes, kernel(x), strict=True):
        assert np.array_equal(y * 16, quantised(x, 8, 4, quantisation, overflow)), (quantisation, overflow)


def test_an_argument_is_rounded_by_its_own_type() -> None:
    kernel = csim(
        '#include "ap_fixed.h"\ntypedef ap_fixed<8, 4, AP_RND_CONV, AP_SAT> T;\nT same(T x) { return x; }', "same"
    )
    x = np.concatenate([[1e30, -1e30, 7.9999, 2**-5, 3 * 2**-5], rng().integers(-(2**24), 2**24, VECTORS) / 2**20])
    expected = np.clip(np.rint(x * 16), -128, 127) / 16
    assert np.array_equal(kernel(x), expected)
    assert np.array_equal(kernel(x.astype(np.float32)[5:]), kernel(torch.tensor(x).float()[5:]))


def test_integers_of_every_kind() -> None:
    a, b, c = rng().integers(-128, 128, VECTORS), rng().integers(0, 256, VECTORS), rng().integers(-999, 999, VECTORS)
    a[:4], b[:4] = (-128, 127, -128, 127), (0, 255, 255, 0)
    answer = csim(INTEGERS, "integers")(a, b, c)
    assert answer._fields == ("returned", "sum", "top", "low", "half")
    assert np.array_equal(answer.returned, a > 0)
    assert np.array_equal(answer.sum, (a * b + c + 2048) % 4096 - 2048)
    assert answer.top.dtype == np.uint64 and np.array_equal(answer.top, b.astype(np.uint64) << np.uint64(56))
    assert np.array_equal(answer.low[:, 0], (a + b).astype(np.int8)) and np.array_equal(answer.low[:, 1], b >> 4)
    assert answer.half.dtype == np.float32 and np.array_equal(answer.half, c / 2)


def test_integers_that_do_not_fit_wrap() -> None:
    assert csim(INTEGERS, "integers")(300, -1, 70000).low.tolist() == [(44 + 255 + 128) % 256 - 128, 15]


def test_streams_go_in_and_come_out(capsys) -> None:
    kernel = csim(STREAMS, "pairs")
    values = rng().integers(-128, 128, (VECTORS, 6))
    assert np.array_equal(kernel(values, 3), values[:, ::2] + values[:, 1::2])
    assert kernel([1, 2, 3, 4], 2).tolist() == [3, 7] and capsys.readouterr().out == ""
    assert kernel([1, 2, 3], 1).tolist() == [3]
    assert "'in' contains leftover data" in capsys.readouterr().out
    with pytest.raises(HardwareError, match="read the stream in while it was empty"):
        kernel([1, 2], 2)
    with pytest.raises(HardwareError, match="wrote between 0 and 1 values to out"):
        kernel([[1, 2], [3, 4]], [0, 1])


def test_what_is_written_may_be_given_a_start() -> None:
    kernel = csim(
        "static void add(int y[2][3], const int by) { for (int i = 0; i < 6; i++) y[i / 3][i % 3] += by; }\n"
        "void count(int by, int y[2][3]) { static int calls = 0; add(y, by); y[0][0] += calls++; }",
        "count",
    )
    assert str(kernel.signature) == "count(int by) -> int y[2][3]"
    assert kernel(5).tolist() == [[5, 5, 5], [5, 5, 5]]
    start = torch.arange(6).reshape(2, 3)
    assert torch.equal(kernel(by=1, y=start), start + 1)
    assert kernel([1, 1, 1])[:, 0, 0].tolist() == [1, 2, 3], "a static variable lives as long as one call"


def test_what_a_kernel_prints_is_shown(capsys) -> None:
    csim(body('y[0] = x[0]; printf("x0 = %d\\n", x[0]);'), "broken")(np.arange(8) + 41)
    assert capsys.readouterr().out == "x0 = 41\n"


FAULTS = [
    ("y[8] = x[0];", "element 8 of int y[8] does not exist."),
    ("for (int i = 0; i < 4; i++) y[i] = x[i - 1];", "element -1 of int x[8] does not exist."),
    ("y[0] = x[2000000];", "element 2000000 of int x[8] does not exist."),
    ("y[0] = *(volatile int *)64 + x[0];", "it touched memory that is not its own"),
    ("int z[3]; for (int i = 0; i < 4; i++) z[i] = x[i]; y[0] = z[0];", "index 3 out of bounds for type 'int [3]'."),
    ("y[0] = 7 / x[0];", "it divided an integer by zero."),
]


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=[text for text, _ in FAULTS])
def test_a_fault_names_the_line(number: int) -> None:
    cases = "\n".join(f"  if (which == {place}) {{ {text} }}" for place, (text, _) in enumerate(FAULTS))
    kernel = csim(f"void broken(int which, int x[8], int y[8]) {{\n{cases}\n}}", "broken")
    text, message = FAULTS[number]
    with pytest.raises(KernelCrashed, match=re.escape(f"Line {number + 2}: broken was stopped: {message}")) as caught:
        kernel(number, np.zeros((2, 8), int))  # of two calls, one has its arrays against each fence
    assert caught.value.line == number + 2 and text in str(caught.value)


def test_a_kernel_that_leaves_is_found_out() -> None:
    kernel = csim("#include <unistd.h>\n" + body("y[0] = x[0]; _exit(0);"), "broken")
    with pytest.raises(KernelCrashed, match="broken was stopped: it called exit"):
        kernel(np.zeros(8, int))


def test_a_loop_without_end_is_stopped() -> None:
    kernel = csim(body("while (x[0] == 0) y[0]++;"), "broken", seconds=0.5)
    with pytest.raises(ToolTimeout, match=r"Running broken took more than 0\.5 s and was stopped"):
        kernel(np.zeros(8, int))
    assert kernel(np.ones(8, int)).tolist() == [0] * 8


def test_a_kernel_that_takes_all_memory_is_stopped() -> None:
    kernel = csim(body("while (x[0] == 0) y[0] += *new int[1 << 24];"), "broken")
    with pytest.raises(KernelCrashed, match="it gave up, most likely for want of memory") as caught:
        kernel(np.zeros(8, int))
    assert "std::bad_alloc" in caught.value.output


def test_errors_have_the_lines_of_the_source() -> None:
    source = '#include "ap_int.h"\nvoid f(ap_int<4> x[3], int y[3]) {\n  y[0] = z;\n  struct {} s;\n  x[0] = s;\n}\n'
    with pytest.raises(SourceRefused, match="does not compile: 2 errors") as caught:
        csim(source, "f")
    assert [(each.line, each.column) for each in caught.value.errors] == [(3, 10), (5, 8)]
    assert "line 3: use of undeclared identifier 'z'\n      y[0] = z;\n             ^" in str(caught.value)


def test_an_error_inside_a_header_is_at_the_line_that_led_there() -> None:
    source = '#include "hls_math.h"\nfloat f(float x) {\n  return hls::exp(x);\n}\n'
    with pytest.raises(SourceRefused) as caught:
        csim(source, "f")
    assert [each.line for each in caught.value.errors] == [3]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("void g(int x) {}", "The source defines no function 'f': it defines g."),
        ("void f(int x) {}\nvoid f(float x) {}", "f is defined 2 times, on lines 1, 2"),
        ("template <class T> void f(T x) {}", "f is a template"),
        ("void f(int *x) {}", "Line 1: x is int *, which does not say how many elements it has: write x[16]"),
        ("struct S { int a; };\nvoid f(S s) {}", "Line 2: s is S: expected ap_int"),
        ("void f(int) {}", "Line 1: parameter 1 of f has no name"),
        ("void f(int x) {}\nint main() { f(1); }", "The source defines main"),
        ("int f(int x) {}", "line 1: non-void function does not return a value"),
        ('#include "ap_fixed.h"\nvoid f(ap_fixed<60, 3> x) {}', "Line 2, x: ap_fixed<60, 3> has 60 bits"),
        ('#include "ap_int.h"\nap_uint<65> f() { return 1; }', "what f returns: ap_uint<65> has 65 bits"),
        ('#include "hls_stream.h"\nvoid f(hls::stream<int> s) {}', "write hls::stream<...> &s"),
    ],
)
def test_source_that_cannot_be_called_gets_a_sentence(source: str, message: str) -> None:
    with pytest.raises(HardwareError, match=re.escape(message)):
        csim(source, "f")


@pytest.mark.parametrize(
    ("values", "named", "message"),
    [
        ((np.zeros(16),), {}, "dense reads x, w, but w did not come"),
        ((0, 0, 0), {}, "dense reads x, w, but 3 arguments came"),
        ((np.zeros(16), np.zeros((8, 16))), {"z": 1}, "dense has no parameter 'z': it has x, w, y"),
        ((np.zeros(16),), {"x": 1}, "dense got x twice"),
        ((np.zeros(15), np.zeros((8, 16))), {}, "x[16] takes shape (16,) or (calls, 16), but got (15,)"),
        ((np.full(16, np.nan), np.zeros((8, 16))), {}, "expected finite values, got NaN or infinity"),
        ((["a"] * 16, np.zeros((8, 16))), {}, "expected numbers, got <U1"),
        ((np.zeros((2, 16)), np.zeros((3, 8, 16))), {}, "but x has 2, w has 3"),
    ],
)
def test_arguments_that_do_not_fit_get_a_sentence(values, named, message: str) -> None:
    with pytest.raises(HardwareError, match=re.escape(message)):
        csim(DENSE, "dense")(*values, **named)


def test_an_integer_takes_no_fraction() -> None:
    with pytest.raises(HardwareError, match="a is ap_int<8>: expected integers, got float64"):
        csim(INTEGERS, "integers")(1.5, 1, 1)


def test_the_names_of_a_kernel_are_its_own() -> None:
    source = """
#include "hls_stream.h"
#include "ap_int.h"
using namespace std;
#define i 3
#define n i
int in[4], out, run = 2;
static int get(int x) { return x + n; }
namespace {
inline void put(const int runs[2], int (&limit)[2]) { for (int j : {0, 1}) limit[j] = get(runs[j]) * run; }
}
"""
    assert csim(source, "get")(4) == 7
    assert csim(source + "void read(int a0[2], int (&g0)[2]) { put(a0, g0); }", "read")([1, 2]).tolist() == [8, 10]


def test_a_build_is_named_after_the_versions_of_compiler_and_headers(monkeypatch, tmp_path) -> None:
    named = []

    def only_named(kind, inputs, make):
        named.append(dict(inputs))
        raise HardwareError("not built")

    def ask() -> None:
        with pytest.raises(HardwareError, match="not built"):
            csim(DENSE, "dense")

    module = importlib.import_module("lablib.hls.csim")
    monkeypatch.setattr(module, "built", only_named)
    ask()
    monkeypatch.setattr(module, "version", lambda name: f"another {name}")
    ask()
    (tmp_path / "g++").write_text("#!/bin/sh\n")
    (tmp_path / "g++").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    ask()
    assert [one["hls4ml"] for one in named[1:]] == ["another hls4ml"] * 2 != [named[0]["hls4ml"]] * 2
    assert named[0]["g++"] == named[1]["g++"] != named[2]["g++"]


def test_no_vectors_give_no_results() -> None:
    assert csim(DENSE, "dense")(np.zeros((0, 16)), np.zeros((8, 16))).shape == (0, 8)


@pytest.mark.parametrize(
    ("name", "engine", "words"),
    [
        ("HLS4ML", Package("no_hls4ml", "hls4ml", "compile HLS C++"), "pip install hls4ml"),
        ("CLANG", Package("no_clang", "libclang", "read HLS C++"), "pip install libclang"),
        ("GXX", Program("no-g++", "g++", "compile HLS C++"), "apt-get install g++"),
    ],
)
def test_a_missing_engine_is_named(monkeypatch, tmp_path, name: str, engine, words: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cpp_source, name, engine)
    with pytest.raises(EngineMissing, match=re.escape(words)):
        cpp_source.check_source("void f(int x) {}")
