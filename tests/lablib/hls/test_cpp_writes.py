"""What a C++ function writes is found through operators, methods, references, pointers and calls."""

from __future__ import annotations

from typing import Any

import pytest

from lablib.hls import cpp_source
from lablib.hls.cpp_writes import written

HEAD = """
#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"
#include <utility>
typedef ap_fixed<16, 6> T;
template <int N> void copy(T from[N], T to[N]) { for (int i = 0; i < N; i++) to[i] = from[i]; }
template <class V> V sum(V a, V b) { return a + b; }
void deep(int n, T a[4], T b[4]) { if (n > 0) deep(n - 1, b, a); else a[0] = 1; }
void row(const T x[3], T y[3]) { y[1] = x[2]; }
"""
ARRAYS = "T x[4], T y[4]"
STREAMS = "hls::stream<T> &s, hls::stream<T> &t, hls::stream<T> &u, T &x, T &y"
CASES = [
    (ARRAYS, "x[0] = 1;", "x"),
    (ARRAYS, "x[0] += y[0];", "x"),
    (ARRAYS, "++x[1];", "x"),
    (ARRAYS, "x[1]--;", "x"),
    (ARRAYS, "x[2][3] = y[0][1];", "x"),
    (ARRAYS, "x[2].range(3, 0) = y[0].range(7, 4);", "x"),
    (ARRAYS, "T a = x[0]; bool b = x[1] == x[2]; int c = x[0][3]; a = sum(x[0], x[1]);", ""),
    (ARRAYS, "copy<4>(x, y);", "y"),
    (ARRAYS, "T &first = y[0]; const T &other = x[0]; first = other;", "y"),
    (ARRAYS, "T *p = y; const T *q = x; *p = *q;", "y"),
    (ARRAYS, "std::swap(y[0], y[1]); T z = std::max(x[0], x[1]);", "y"),
    (ARRAYS, "if (x[0] > 0) deep(3, x, y);", "x"),
    ("T x[2][3], T y[2][3]", "for (int i = 0; i < 2; i++) row(x[i], y[i]);", "y"),
    ("int x[4], float y[4], bool z[2]", "y[0] = x[0]; y[1] *= 2; z[1] = x[0] < x[1];", "yz"),
    ("int x[4], int y[4], int z[4]", "y[0]++; int a = -x[0], b = x[1] - y[1], *c = &z[1];", "yz"),
    (STREAMS, "t.write(s.read());", "t"),
    (STREAMS, "if (!s.empty()) u << s.read(); s >> x;", "ux"),
    (STREAMS, "s.read(y); if (s.read_nb(x)) t.write_nb(y);", "txy"),
]


@pytest.fixture(scope="module")
def functions() -> dict[str, Any]:
    """libclang's cursor of each case's function; parsed once, for it takes a second."""
    texts = [f"void f{place}({parameters}) {{ {body} }}" for place, (parameters, body, _) in enumerate(CASES)]
    unit = cpp_source.parsed(HEAD + "\n".join(texts))
    return {"unit": unit, **{each.spelling: each for each in unit.cursor.get_children()}}


@pytest.mark.parametrize("place", range(len(CASES)), ids=[body for _, body, _ in CASES])
def test_what_is_written_is_found(functions: dict[str, Any], place: int) -> None:
    assert written(functions[f"f{place}"]) == set(CASES[place][2])


def test_what_is_passed_by_value_is_no_result() -> None:
    source = HEAD + "void f(T x, T &y, T (&z)[3]) { x = 2; y = x; z[0]++; }"
    assert [each.name for each in cpp_source.signature_of(source, "f").results] == ["y", "z"]
