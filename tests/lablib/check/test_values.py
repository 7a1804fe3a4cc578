"""Value checks pass what is right, and say what is wrong."""

from __future__ import annotations

import pytest
import torch

from lablib import check


def test_rounding_passes_and_a_wrong_tile_does_not() -> None:
    want = torch.randn(64, 64)
    check.close(want * (1 + 1e-6), want)
    got = want.clone()
    got[32:, 48:] = 0
    with pytest.raises(
        AssertionError, match=r"differs in 512 of 4096 .* rows 32 to 63 of 64 and columns 48 to 63 of 64"
    ):
        check.close(got, want)


def test_tolerance_follows_the_scale_of_the_data() -> None:
    small = 1e-8 * torch.randn(100)
    with pytest.raises(AssertionError):
        check.close(torch.zeros(100), small)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_each_dtype_passes_its_own_rounding(dtype: torch.dtype) -> None:
    exact = torch.randn(1000, dtype=torch.float64)
    check.close(exact.to(dtype), exact.to(dtype))
    with pytest.raises(AssertionError):
        check.close((exact * 1.05).to(dtype), exact.to(dtype))


@pytest.mark.parametrize(
    ("got", "message"),
    [
        (None, "is a NoneType, expected a torch.Tensor. Did you return it"),
        ([1.0, 2.0], "is a list"),
        (torch.ones(3), r"has shape \(3,\), expected \(2,\)"),
        (torch.ones(2).half(), "has dtype torch.float16, expected torch.float32"),
        (torch.tensor([1.0, float("nan")]), "1 elements are NaN"),
        (torch.tensor([1.0, float("inf")]), "got inf"),
    ],
)
def test_what_came_is_said(got, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check.close(got, torch.ones(2))


def test_nan_never_passes_and_equal_infinities_do() -> None:
    nan = torch.tensor([float("nan")])
    with pytest.raises(AssertionError):
        check.close(nan, nan)
    infinite = torch.tensor([float("inf"), 1.0])
    check.close(infinite, infinite)
    for got, want in [([5.0, 1.0], [float("-inf")] * 2), ([0.0, 1.0], [float("inf"), 1.0])]:
        with pytest.raises(AssertionError):
            check.close(torch.tensor(got), torch.tensor(want))


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_imaginary_parts_count(dtype: torch.dtype) -> None:
    want = torch.randn(100, dtype=dtype)
    check.close(want * (1 + 1e-12j), want)
    with pytest.raises(AssertionError, match="differs in 100 of 100"):
        check.close(want.conj().resolve_conj(), want)


def test_whole_numbers_are_shown_with_all_their_digits() -> None:
    got, want = torch.tensor([12345679]), torch.tensor([12345678])
    for compare in (check.close, check.equal):
        with pytest.raises(AssertionError, match="got 12345679, expected 12345678"):
            compare(got, want)


def test_a_tensor_subclass_is_not_taken_for_a_tensor() -> None:
    class Always(torch.Tensor):
        pass

    with pytest.raises(AssertionError, match="is an Always"):
        check.close(torch.ones(2).as_subclass(Always), torch.ones(2))


@pytest.mark.parametrize(
    ("got", "want", "message"),
    [
        (1, 1.0, "is an int, expected a float"),
        (True, 1, "is a bool, expected an int"),
        ([1, 2], [1, 3], r"r\[1\] is 2, expected 3"),
        ([1], [1, 2], "r has 1 items, expected 2"),
        ({"a": 1}, {"b": 1}, r"r has keys \['a'\], expected \['b'\]"),
        ({"a": 1, 2: 3}, {"a": 1, None: 3}, r"r has keys \['a', 2\], expected \['a', None\]"),
        ({"a": (1, "x")}, {"a": (1, "y")}, r"r\['a'\]\[1\] is 'x', expected 'y'"),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), r"first is at \[1\]: got 2, expected 3"),
    ],
)
def test_equality_is_exact_and_names_the_place(got, want, message: str) -> None:
    check.equal(want, want)
    with pytest.raises(AssertionError, match=message):
        check.equal(got, want, name="r")


def test_an_objects_own_equality_is_not_asked() -> None:
    class Yes:
        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 0

    with pytest.raises(AssertionError, match="is a Yes, expected an int"):
        check.equal(Yes(), 1)


def test_raises_wants_that_error() -> None:
    assert check.raises(ValueError, int, "x").startswith("invalid literal")
    with pytest.raises(AssertionError, match=r"int\('3'\) returned; the contract asks for a ValueError"):
        check.raises(ValueError, int, "3")
    with pytest.raises(AssertionError, match="raised TypeError"):
        check.raises(ValueError, int, [])


def test_a_stub_is_not_the_error_that_was_asked_for() -> None:
    def stub() -> None:
        raise NotImplementedError

    with pytest.raises(NotImplementedError):
        check.raises(RuntimeError, stub)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_rounding_twice_is_told_from_rounding_once(dtype: torch.dtype) -> None:
    a, b = torch.randn(4096, dtype=torch.float64).to(dtype), torch.randn(4096, dtype=torch.float64).to(dtype)
    exact = torch.tanh(a.double() + b.double())
    check.rounded(exact.to(dtype), exact, dtype)
    with pytest.raises(AssertionError, match="differs in"):
        check.rounded(torch.tanh((a + b).double()).to(dtype), exact, dtype)
    with pytest.raises(AssertionError, match=r"has dtype torch\.float64"):
        check.rounded(exact, exact, dtype)
