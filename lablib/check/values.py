"""Compare values: types, shapes and dtypes exactly, numbers within what the dtype can hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["RTOL", "close", "equal", "raises", "rounded"]

RTOL = {
    torch.float64: 1e-11, torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1.6e-2,
    torch.complex128: 1e-11, torch.complex64: 1e-5,
}  # fmt: skip
"""Relative tolerance by dtype: a few units in the last place, for sums of up to some thousand terms."""

FLOAT32_SLACK = 2e-5
"""What float32 sums, matrix units and exponentials may lose, relative to the data's scale."""


def close(actual: Any, expected: torch.Tensor, rtol: float | None = None, name: str = "the result") -> None:
    """Assert that a tensor has the expected shape and dtype, and values within rounding.

    An element passes when ``|actual - expected| <= rtol * (|expected| + rms(expected))``: the tolerance follows the
    scale of the data, so it is never so wide that a wrong tile hides in it. NaN never passes.

    Parameters
    ----------
    actual
        What the student's code returned.
    expected
        The oracle, in the dtype that the contract asks for.
    rtol
        By default `RTOL` of the expected dtype.
    name
        What the message calls ``actual``.

    Raises
    ------
    AssertionError
        With the first element that differs, how many do, and what the pattern suggests.

    Examples
    --------
    >>> close(torch.ones(2), torch.ones(2))
    """
    _same_kind(actual, expected, name)
    if expected.numel() == 0:
        return
    wide = torch.complex128 if expected.is_complex() else torch.float64
    got, want = actual.detach().to("cpu", wide), expected.detach().to("cpu", wide)
    tolerance = RTOL.get(expected.dtype, 0.0) if rtol is None else rtol
    scale = want[want.isfinite()].abs().square().mean().sqrt() if want.isfinite().any() else torch.tensor(0.0)
    good = want.isfinite() & ((got - want).abs() <= tolerance * (want.abs() + scale))
    good |= got == want  # equal infinities
    if bool(good.all()):
        return
    if not (expected.is_floating_point() or expected.is_complex()):
        got, want = actual.detach().cpu(), expected.detach().cpu()  # with all of their digits
    raise AssertionError(_difference(got, want, good, name))


def rounded(actual: Any, exact: torch.Tensor, dtype: torch.dtype, name: str = "the result") -> None:
    """Assert that a tensor is the exact result, computed in float32 and rounded to ``dtype`` once.

    Rounding once is wrong by at most half a unit in the last place. A sum in a narrow dtype, or a rounding in the
    middle, is wrong by more somewhere.

    Parameters
    ----------
    actual
        What the student's code returned.
    exact
        The oracle in float64, not rounded.
    dtype
        ``torch.float16`` or ``torch.bfloat16``.

    Raises
    ------
    AssertionError
        As `close` does.

    Examples
    --------
    >>> exact = torch.tensor([1.0, 3.0], dtype=torch.float64) / 3
    >>> rounded(exact.half(), exact, torch.float16)
    """
    _same_kind(actual, exact.to(dtype), name)
    got, want = actual.detach().to("cpu", torch.float64), exact.detach().to("cpu", torch.float64)
    _, exponent = torch.frexp(want)
    half_unit = torch.ldexp((want != 0) * torch.finfo(dtype).eps / 4, exponent)
    rms = want.square().mean().sqrt()
    good = (got - want).abs() <= half_unit + FLOAT32_SLACK * (want.abs() + rms)
    if not bool(good.all()):
        raise AssertionError(_difference(got, want, good, name) + f" It is to be rounded to {dtype} once, at the end.")


def equal(actual: Any, expected: Any, name: str = "the result") -> None:
    """Assert exact equality of tensors, numbers, strings, or nested lists, tuples and dicts of them.

    Raises
    ------
    AssertionError
        Naming the place that differs.

    Examples
    --------
    >>> equal({"a": [1, 2]}, {"a": [1, 2]})
    """
    if isinstance(expected, torch.Tensor):
        _same_kind(actual, expected, name)
        good = actual.detach().cpu() == expected.detach().cpu()
        if not bool(good.all()):
            raise AssertionError(_difference(actual.detach().cpu(), expected.detach().cpu(), good, name))
        return
    if type(actual) is not type(expected):
        raise AssertionError(f"{name} is {_kind(actual)}, expected {_kind(expected)}.")
    if isinstance(expected, dict):
        if actual.keys() != expected.keys():
            raise AssertionError(f"{name} has keys {sorted(actual, key=repr)}, expected {sorted(expected, key=repr)}.")
        for key in expected:
            equal(actual[key], expected[key], f"{name}[{key!r}]")
    elif isinstance(expected, (list, tuple)):
        if len(actual) != len(expected):
            raise AssertionError(f"{name} has {len(actual)} items, expected {len(expected)}.")
        for index, (one, other) in enumerate(zip(actual, expected, strict=True)):
            equal(one, other, f"{name}[{index}]")
    elif actual != expected:
        raise AssertionError(f"{name} is {actual!r}, expected {expected!r}.")


def raises(error: type[Exception], function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """Assert that a call raises ``error``, and return its message.

    Raises
    ------
    AssertionError
        If nothing, or another error, was raised.
    """
    shown = ", ".join(_brief(a) for a in args)
    try:
        function(*args, **kwargs)
    except NotImplementedError:
        if error is not NotImplementedError:
            raise
        return ""
    except Exception as raised:
        if isinstance(raised, error):
            return str(raised)
        raise AssertionError(
            f"{_name(function)}({shown}) raised {type(raised).__name__}: {raised}; expected {error.__name__}."
        ) from raised
    raise AssertionError(f"{_name(function)}({shown}) returned; the contract asks for a {error.__name__} here.")


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", None) or type(function).__name__


def _brief(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    return repr(value)


def _same_kind(actual: Any, expected: torch.Tensor, name: str) -> None:
    if type(actual) is not torch.Tensor:
        raise AssertionError(f"{name} is {_kind(actual)}, expected a torch.Tensor. Did you return it?")
    if actual.shape != expected.shape:
        raise AssertionError(f"{name} has shape {tuple(actual.shape)}, expected {tuple(expected.shape)}.")
    if actual.dtype != expected.dtype:
        raise AssertionError(f"{name} has dtype {actual.dtype}, expected {expected.dtype}.")


def _difference(got: torch.Tensor, want: torch.Tensor, good: torch.Tensor, name: str) -> str:
    bad = ~good
    first = tuple(int(i) for i in bad.nonzero()[0])
    count = int(bad.sum())
    text = (
        f"{name} differs in {count} of {bad.numel()} elements; the first is at {list(first)}: "
        f"got {_shown(got[first].item())}, expected {_shown(want[first].item())}."
    )
    missing = int((got != got).sum())
    if missing:
        text += f" {missing} elements are NaN: never written, loaded through a mask without other=, or 0/0 and inf-inf."
    elif bad.dim() == 2 and count < bad.numel():
        text += _pattern(bad)
    return text


def _shown(value: Any) -> str:
    """Whole numbers with all of their digits."""
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _pattern(bad: torch.Tensor) -> str:
    """A sentence on where the wrong elements lie, when they fill whole rows or columns at an edge."""
    rows, columns = bad.any(dim=1).nonzero().flatten(), bad.any(dim=0).nonzero().flatten()
    M, N = bad.shape
    parts = []
    if len(rows) < M:
        parts.append(f"rows {int(rows[0])} to {int(rows[-1])} of {M}")
    if len(columns) < N:
        parts.append(f"columns {int(columns[0])} to {int(columns[-1])} of {N}")
    return f" All lie in {' and '.join(parts)}." if parts else ""
