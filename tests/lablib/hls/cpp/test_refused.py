"""C++ outside the subset is refused with its line, its name, and what to write instead."""

from __future__ import annotations

import pytest

from lablib.hls.cpp.design import hardware
from lablib.hls.cpp.refusal import OutsideSubset
from lablib.hls.errors import HardwareError
from lablib.hls.source_errors import SourceRefused
from tests.lablib.hls.cpp.kernels import HEAD, dot

BODY = "void f(int x[8], int y[8], int n, bool b) {{\n{}\n}}\n"
REFUSED = {
    "while (n > 0) n--;": ("Line 4: a while loop", "write a for loop"),
    "do n--; while (n > 0);": ("Line 4: a do loop", "write a for loop"),
    "for (int i = 0; i < 8; i++) { if (b) break; y[i] = 1; }": ("Line 4: break", "guard its statements with an if"),
    "for (int i = 0; i < 8; i++) { if (b) continue; y[i] = 1; }": ("Line 4: continue", "guard the rest"),
    "for (int i = 0; i < n; i++) y[i] = 1;": ("Line 4: a loop bound that depends on data", "constant bound"),
    "for (int i = 0; i < 4; i++)\nfor (int j = 0; j < i; j++) y[j] = 1;": ("Line 5: a loop bound", "an if inside"),
    "for (int i = 1; i < 8; i *= 2) y[i] = 1;": ("Line 4: a loop whose index does not move in equal steps", "unroll"),
    "for (int i = 0; i < 8; i++) { i++; y[i] = 1; }": ("Line 4: an assignment to the loop index i", "of its own"),
    "if (b)\nfor (int i = 0; i < 8; i++) y[i] = 1;": ("Line 5: a loop inside an if", "the if inside the loop"),
    "y[0] = n / 3;": ("Line 4: operator /", "multiply by the reciprocal"),
    "y[0] = n / x[1];": ("Line 4: operator /", "multiply by the reciprocal"),
    "y[0] = n << x[1];": ("Line 4: a shift by a number that may be negative", "ap_uint"),
    "static int s = 0; s++; y[0] = s;": ("Line 4: static s", "as a parameter"),
    "int *p = y; p[0] = 1;": ("Line 4: p of type int *", "use ap_int"),
    "float f = n; y[0] = f > 2;": ("Line 4: f of type float", "use ap_int, ap_fixed"),
    "switch (n) { case 1: y[0] = 1; }": ("Line 4: a switch", "write if and else"),
    "if (b) return;\ny[0] = 1;": ("Line 4: a return that is not the last statement", "return it last"),
    "int z[4] = {1, 2}; y[0] = z[n & 3];": ("Line 4: 2 values for 4 elements of z", "write all of them"),
    "int z[2] = {1, 2}; y[0] = z[n & 1];": ("Line 4: the initial values of z", "partition it completely"),
    "#pragma HLS DATAFLOW\ny[0] = 1;": ("Line 4: #pragma HLS DATAFLOW", "loops one after the other"),
    "#pragma HLS STREAM variable=x\ny[0] = 1;": ("Line 4: #pragma HLS STREAM", "use one of PIPELINE"),
    "#pragma HLS UNROLL\ny[0] = 1;": ("Line 4: UNROLL outside of a loop", "inside the loop's braces"),
    "#pragma HLS ARRAY_PARTITION variable=q\ny[0] = 1;": ("Line 4: ARRAY_PARTITION of q", "x, y"),
    "#pragma HLS ARRAY_PARTITION variable=x cyclic\ny[0] = 1;": ("Line 4: ARRAY_PARTITION cyclic without", "factor=2"),
    "for (int i = 0; i < 8; i++)\n#pragma HLS PIPELINE\ny[i] = 1;": ("Line 5: PIPELINE between", "inside the loop"),
    "for (int i = 0; i < 8; i++) {\n#pragma HLS ALLOCATION operation instances=mul limit=1\ny[i] = i * n;}": (
        "Line 5: ALLOCATION inside a loop", "outside of its loops"),
    "#pragma HLS ARRAY_PARTITION variable=n\ny[0] = n;": ("Line 4: ARRAY_PARTITION of the number n", "name an array"),
    "int p = x[0] * n;\n#pragma HLS BIND_OP variable=p op=mul impl=dsp\ny[0] = p;": (
        "Line 4: BIND_OP op=mul impl=dsp on hx8k", "write impl=fabric"),
    "#pragma HLS PIPELINE II=n\ny[0] = 1;": ("Line 4: PIPELINE II=n", "write a positive number"),
    "#pragma HLS ALLOCATION operation instances=mul limit=0\ny[0] = 1;": ("Line 4: ALLOCATION limit=0", "positive"),
    "#pragma HLS PIPELINE rewind\ny[0] = 1;": ("Line 4: PIPELINE with the option rewind", "II"),
}  # fmt: skip


@pytest.mark.parametrize("body", REFUSED)
def test_what_is_outside_the_subset_is_refused(body: str) -> None:
    start, instead = REFUSED[body]
    with pytest.raises(OutsideSubset) as caught:
        hardware(HEAD + BODY.format(body), "f")
    assert str(caught.value).startswith(start)
    assert "is outside the subset that becomes hardware here: " in str(caught.value)
    assert instead in str(caught.value)
    assert caught.value.line == int(start.split()[1].rstrip(":"))


def test_a_function_that_calls_itself() -> None:
    source = "int f(int n) { return n > 0 ? f(n - 1) : 0; }\n"
    with pytest.raises(OutsideSubset, match="f, which calls itself"):
        hardware(source, "f")


def test_a_global_variable() -> None:
    with pytest.raises(OutsideSubset, match=r"Line 2: count, a global variable, .* declare it const"):
        hardware("int count;\nvoid f(int &y) { y = count; }", "f")


def test_c_plus_plus_that_does_not_compile() -> None:
    with pytest.raises(SourceRefused, match="line 1"):
        hardware("void f(int &y) { y = z; }", "f")


def test_a_clock_without_time_for_logic() -> None:
    with pytest.raises(HardwareError, match="A clock of 400 MHz leaves no time for logic"):
        hardware(dot(), "dot", clock_mhz=400)


def test_a_part_without_delays() -> None:
    with pytest.raises(HardwareError, match="There are no delays of 'xck26': expected one of hx8k"):
        hardware(dot(), "dot", part="xck26")
