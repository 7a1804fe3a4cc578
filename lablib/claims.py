"""Claims about a model that somebody else can check: which model, which figure, in which unit, measured how.

    delivery ──digest──> names exactly one model
    figures  ──state───> JSON text ──validate──> a claim that can be read ──verify──> one that is true

A figure without the model that it was measured on is no claim. The digest ties the two together: change a weight, and
the text speaks of another model.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from reprlib import repr as shortened
from typing import Any

__all__ = ["TOLERANCE", "digest", "state", "validate", "verify"]

TOLERANCE = 0.002
"""Relative difference at which a claimed float still is the measured one; integers must be equal."""

_KEYS = {"word": str, "stage": str, "model": str, "claims": list}
_CLAIM = {"figure": str, "value": (int, float), "unit": str, "how": str}


def digest(delivery: Any) -> str:
    """The name of a delivery: 16 hexadecimal digits that change with any value in it.

    Parameters
    ----------
    delivery
        Plain values: None, numbers, text, tensors, numpy arrays; lists, tuples and dicts with text as keys of these.
        The order of a dict's keys makes no difference, nor does a list in place of a tuple.

    Raises
    ------
    ValueError
        If it holds something else.

    Examples
    --------
    >>> digest({"bits": 3, "name": "out"}) == digest({"name": "out", "bits": 3})
    True
    >>> digest({"bits": 3}) == digest({"bits": 4})
    False
    """
    found = hashlib.sha256()
    _add(found, delivery)
    return found.hexdigest()[:16]


def _add(found: Any, value: Any) -> None:
    if isinstance(value, Mapping):
        wrong = [key for key in value if not isinstance(key, str)]
        if wrong:
            raise ValueError(f"A delivery's dicts have text as keys; this one has {wrong[0]!r}.")
        found.update(f"dict {len(value)};".encode())
        for key in sorted(value):
            _add(found, key)
            _add(found, value[key])
    elif isinstance(value, (list, tuple)):
        found.update(f"list {len(value)};".encode())
        for one in value:
            _add(found, one)
    elif value is None or isinstance(value, (bool, int, float, str)):
        found.update(f"{type(value).__name__} {len(repr(value))} {value!r};".encode())
    elif hasattr(value, "detach") or hasattr(value, "dtype"):
        kind, array = _values(value)
        found.update(f"array {kind} {tuple(value.shape)};".encode())
        found.update(array.tobytes())
    else:
        raise ValueError(f"A delivery holds plain values and tensors; this is a {type(value).__name__}.")


def _values(value: Any) -> tuple[str, Any]:
    """The dtype of a tensor or array, and its values in memory; the bytes of one that numpy does not know."""
    if not hasattr(value, "detach"):
        return str(value.dtype), value
    tensor = value.detach().cpu().contiguous()
    try:
        return str(tensor.numpy().dtype), tensor.numpy()
    except TypeError:  # bfloat16, and floats of 8 bits
        import torch

        return str(tensor.dtype), tensor.reshape(-1).view(torch.uint8).numpy()


def state(word: str, stage: str, delivery: Any, figures: Mapping[str, tuple[float, str, str]]) -> str:
    """Claims about a delivery, as JSON text.

    Parameters
    ----------
    word
        That the brief was drawn from.
    stage
        Of the work, such as ``"language"``.
    delivery
        What the figures were measured on.
    figures
        By name of the figure: its value, its unit, and how it was measured.

    Examples
    --------
    >>> text = state("my word", "language", {"bits": 3}, {"weight_bytes": (1200, "B", "counted")})
    >>> validate(text)["claims"]
    [{'figure': 'weight_bytes', 'value': 1200, 'unit': 'B', 'how': 'counted'}]
    """
    claims = [
        {"figure": name, "value": value, "unit": unit, "how": how} for name, (value, unit, how) in figures.items()
    ]
    return json.dumps({"word": word, "stage": stage, "model": digest(delivery), "claims": claims}, indent=1)


def validate(text: str) -> dict[str, Any]:
    """Read claims, and say what is missing if something is.

    Returns
    -------
    dict
        ``word``, ``stage``, ``model``, and ``claims``: a list of dicts with ``figure``, ``value``, ``unit``, ``how``.

    Raises
    ------
    ValueError
        In one sentence: no JSON, a key that is missing, a value that is no finite number, a figure that is there twice.

    Examples
    --------
    >>> validate('{"word": "my word", "stage": "language", "model": "0123456789abcdef"}')
    Traceback (most recent call last):
    ValueError: The claims lack the key 'claims': they have word, stage, model and claims.
    """
    if not isinstance(text, str):
        raise ValueError(f"Claims are JSON text; this is a {type(text).__name__}: see lablib.claims.state.")
    try:
        read = json.loads(text)
    except ValueError as error:  # also a whole number of more digits than Python reads
        raise ValueError(f"The claims are no JSON: {error}.") from None
    _has(read, _KEYS, "The claims")
    seen: set[str] = set()
    for claim in read["claims"]:
        _has(claim, _CLAIM, "A claim")
        name, value = claim["figure"], claim["value"]
        if isinstance(value, bool) or not abs(value) <= sys.float_info.max:  # whole numbers have no bound of their own
            raise ValueError(f"The figure {name!r} is {shortened(value)}: a claim's value is a finite number.")
        if not claim["unit"].strip() or not claim["how"].strip():
            raise ValueError(
                f"The figure {name!r} has no unit, or does not say how it was measured: nobody can check it."
            )
        if name in seen:
            raise ValueError(f"The figure {name!r} is claimed twice: which is it?")
        seen.add(name)
    return read


def _has(value: Any, kinds: Mapping[str, Any], what: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{what} should be a JSON object; this is a {type(value).__name__}.")
    *first, last = kinds
    for key, kind in kinds.items():
        if key not in value:
            raise ValueError(
                f"{what} lack{'s' * (what == 'A claim')} the key {key!r}: they have {', '.join(first)} and {last}."
            )
        if not isinstance(value[key], kind):
            raise ValueError(f"{what}: {key!r} is a {type(value[key]).__name__}, which it should not be.")


def verify(text: str, word: str, stage: str, delivery: Any, measured: Mapping[str, tuple[float, str]]) -> None:
    """Compare claims with what was measured again.

    Parameters
    ----------
    text
        The claims.
    word, stage, delivery
        What they should be about.
    measured
        By figure, its value as measured on ``delivery``, and its unit: a claim is due for each of them. An int must be
        claimed exactly, a float to within `TOLERANCE` of itself.

    Raises
    ------
    ValueError
        As `validate`.
    AssertionError
        If they are about something else, one is missing, or one is not true.

    Examples
    --------
    >>> text = state("my word", "language", {"bits": 3}, {"weight_bytes": (1200, "B", "counted")})
    >>> verify(text, "my word", "language", {"bits": 3}, {"weight_bytes": (1201, "B")})
    Traceback (most recent call last):
    AssertionError: language: weight_bytes is claimed to be 1200 B; measured again, it is 1201 B.
    """
    read = validate(text)
    for key, value in (("word", word), ("stage", stage)):
        if read[key] != value:
            raise AssertionError(f"The claims are for the {key} {read[key]!r}, and {value!r} was asked for.")
    if read["model"] != digest(delivery):
        raise AssertionError(
            f"{stage}: the claims are about the model {read['model']}, and {digest(delivery)} was delivered. "
            "A figure belongs to the model on which it was measured."
        )
    claims = {claim["figure"]: claim for claim in read["claims"]}
    for name, (value, unit) in measured.items():
        if name not in claims:
            raise AssertionError(
                f"{stage}: nothing is claimed of {name}; the claims are {', '.join(claims) or 'none'}."
            )
        claim = claims[name]
        if claim["unit"] != unit:
            raise AssertionError(f"{stage}: {name} is claimed in {claim['unit']!r}, expected {unit!r}.")
        if not _same(claim["value"], value):
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            raise AssertionError(
                f"{stage}: {name} is claimed to be {claim['value']:.6g} {unit}; measured again, it is {shown} {unit}."
                if isinstance(claim["value"], float)
                else f"{stage}: {name} is claimed to be {claim['value']} {unit}; measured again, it is {shown} {unit}."
            )


def _same(claimed: float, measured: float) -> bool:
    if isinstance(measured, int):
        return claimed == measured
    return abs(claimed - measured) <= TOLERANCE * abs(measured) + 1e-9
