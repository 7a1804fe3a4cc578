"""DSLX compiles, runs on numpy arrays bit by bit, and its errors have the student's line."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lablib.hls import xls_step
from lablib.hls.bits import BitsType
from lablib.hls.errors import EngineMissing, HardwareError
from lablib.hls.xls import xls_function, xls_proc

MIXED = """\
pub fn mixed(m: s8[2][3], b: u64, c: s5) -> (s16[3], u64, u1) {
    let products = for (i, products): (u32, s16[3]) in u32:0..u32:3 {
        update(products, i, (m[i][0] as s16) * (m[i][1] as s16) + (c as s16))
    }(s16[3]:[0, ...]);
    (products, b + u64:1, c < s5:0)
}
"""


def drawn(kind: BitsType, count: int, seed: int = 0) -> np.ndarray:
    """Random values with the corners first: all lowest, all highest, zero."""
    rng = np.random.default_rng(seed)
    values = rng.integers(kind.low, kind.high, (count, *kind.shape), dtype=kind.dtype, endpoint=True)
    values[:3] = np.array([kind.low, kind.high, 0], dtype=kind.dtype).reshape(3, *[1] * len(kind.shape))
    return values


def test_types_come_from_the_source() -> None:
    function = xls_function(MIXED, "mixed")
    assert {name: str(kind) for name, kind in function.parameters.items()} == {"m": "s8[2][3]", "b": "u64", "c": "s5"}
    assert function.parameters["m"] == BitsType(8, signed=True, shape=(3, 2))
    assert str(function.result) == "(s16[3], u64, u1)"


def test_it_equals_numpy_bit_by_bit() -> None:
    function = xls_function(MIXED, "mixed")
    m, b, c = (drawn(kind, 1000, seed) for seed, kind in enumerate(function.parameters.values()))  # type: ignore[arg-type]
    products, more, negative = function(m, b, c)
    wrapped = (m[:, :, 0] * m[:, :, 1] + c[:, None]).astype(np.int16)
    assert np.array_equal(products, wrapped) and products.dtype == np.int64
    assert np.array_equal(more, b + np.uint64(1)) and more.dtype == np.uint64
    assert np.array_equal(negative, c < 0)


def test_the_batch_has_any_shape() -> None:
    square = xls_function("fn square(x: s8) -> s16 { (x as s16) * (x as s16) }", "square")
    assert square(-128) == 16384 and square(3).shape == ()
    x = np.arange(-6, 6).reshape(2, 3, 2)
    assert np.array_equal(square(x), x * x)
    assert square(np.empty((0, 4), int)).shape == (0, 4)


def test_aliases_constants_and_the_standard_library() -> None:
    source = "import std;\nconst N = u32:4;\ntype Row = u8[N];\nfn f(x: Row) -> u8 { std::max(x[0], x[3]) }\n"
    assert xls_function(source, "f")([[7, 0, 0, 9], [255, 0, 0, 9]]).tolist() == [9, 255]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (([[1, 2]] * 3, 0), "mixed takes 3 values (m: s8[2][3], b: u64, c: s5), got 2."),
        (([[1, 2]] * 3, 0, 16), "c is 16: s5 takes -16 to 15 only."),
        (([[1, 2], [1, -129], [1, 2]], 0, 0), "m[1, 1] is -129: s8[2][3] takes -128 to 127 only."),
        (([1, 2, 3], 0, 0), "m has type s8[2][3]: expected shape (…, 3, 2), got shape (3,)."),
        (([[1, 2]] * 3, 0.5, 0), "b has type u64: expected integers, got float64."),
        (([[1, 2]] * 3, 2**64, 0), f"b is {2**64}: u64 takes 0 to {2**64 - 1} only."),
        (([[1, 2]] * 3, [0, 1], [0, 1, 2]), "mixed takes values of one batch, got batches of shape [(), (2,), (3,)]."),
        (([[1], [1, 2]], 0, 0), "m has type s8[2][3]: expected an array of integers, got rows of unequal length."),
    ],
)
def test_a_value_that_does_not_fit_is_refused(values: tuple, message: str) -> None:
    with pytest.raises(HardwareError) as refused:
        xls_function(MIXED, "mixed")(*values)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("fn f(x: s8) -> s8 {\n    y\n}", 'line 2: Cannot find a definition for name: "y".\n        y\n        ^'),
        (
            "fn f(x: s8) -> s8 { x + u8:1 }",
            "line 1: signed vs. unsigned mismatch: u8 vs. s8.",
        ),
        ("fn f(x: s8) -> s8 { x + }", "Expected start of an expression; got: }."),
        (
            "fn f(x: s8[3]) -> s8 {\n x[u32:5]\n}",
            "line 2: sN[8][3] Index has a compile",
        ),
        ("import nowhere;", "line 1: Could not find DSLX file for import.\n    import nowhere;\n    ^"),
        ("fn g(x: s8) -> s8 { x }", "Function f is not in the source: the functions there are g."),
        ("", "Function f is not in the source: the functions there are none."),
        ("fn f<N: u32>(x: uN[N]) -> uN[N] { x }", "Function f is parametric, and hardware needs widths"),
    ],
)
def test_errors_have_the_line(source: str, message: str) -> None:
    with pytest.raises(HardwareError) as refused:
        xls_function(source, "f")
    assert message in str(refused.value)
    assert "design.x" not in str(refused.value)


def test_a_source_that_fails_on_an_input_says_so() -> None:
    source = 'fn f(x: u8) -> u8 { if x == u8:7 { fail!("seven", x) } else { x } }'
    function = xls_function(source, "f")
    assert function([6, 8]).tolist() == [6, 8]
    with pytest.raises(HardwareError, match=r"f stops on an input:\nline 1: Assertion failure via fail!\.\n +fn f"):
        function([6, 7])


def test_a_struct_is_hardware_but_no_array() -> None:
    function = xls_function("struct P { a: s8 }\nfn f(p: P) -> s8 { p.a }", "f")
    with pytest.raises(HardwareError, match=r"p has type P \{ a: sN\[8\] \}: numpy can give"):
        function(1)


def test_without_the_engine_it_says_what_to_install(monkeypatch) -> None:
    missing = dataclasses.replace(xls_step.XLS, module="xls_is_not_here")
    monkeypatch.setattr(xls_step, "XLS", missing)
    with pytest.raises(EngineMissing, match="run pip install xls-python"):
        xls_function("fn f(x: s8) -> s8 { x }", "f")


def test_a_second_time_nothing_runs(monkeypatch) -> None:
    first = xls_function(MIXED, "mixed")
    monkeypatch.setattr("lablib.hls.build.run", lambda *_, **__: pytest.fail("ran again"))
    assert xls_function(MIXED, "mixed") == first


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("fn f(x: s8) -> s8 { x }", "Proc p is not in the source: the procs there are none."),
        (
            "proc p { n: u8; config(n: u8) { (n,) } init { u8:0 } next(s: u8) { s + n } }",
            "Proc p takes n of type uN[8] in config: expected channels only.",
        ),
    ],
)
def test_what_is_no_proc_is_refused(source: str, message: str) -> None:
    with pytest.raises(HardwareError) as refused:
        xls_proc(source, "p")
    assert str(refused.value) == message
