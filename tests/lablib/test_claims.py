"""Claims: a digest that knows its delivery, a schema whose messages teach, and figures that are compared."""

import json

import numpy as np
import pytest
import torch

from lablib import claims

DELIVERY = {
    "layers": {"out": {"codes": torch.tensor([[1, 0], [3, 2]], dtype=torch.uint8), "bits": 2}},
    "groups": [["a", "b"]],
}
FIGURES = {"weight_bytes": (1200, "B", "counted"), "lost": (0.04, "bit", "on held-out text")}
MEASURED = {"weight_bytes": (1200, "B"), "lost": (0.04, "bit")}


def changed(**keys):
    return json.dumps({**json.loads(claims.state("word", "language", DELIVERY, FIGURES)), **keys})


def claim(**keys):
    return changed(claims=[{"figure": "weight_bytes", "value": 1, "unit": "B", "how": "counted", **keys}])


def test_true_claims_pass():
    claims.verify(claims.state("word", "language", DELIVERY, FIGURES), "word", "language", DELIVERY, MEASURED)


def test_a_digest_knows_values_shapes_and_dtypes():
    codes = torch.arange(6, dtype=torch.uint8)
    others = [
        codes + 1,
        codes.view(2, 3),
        codes.int(),
        codes.tolist(),
        {"codes": codes},
        [codes],
        None,
        "codes",
        6,
        6.0,
        True,
    ]
    found = [claims.digest(one) for one in [codes, *others]]
    assert len(set(found)) == len(found)
    assert claims.digest(codes) == claims.digest(codes.numpy()) == claims.digest(codes.clone())


def test_a_digest_does_not_ask_how_a_tensor_lies_in_memory_or_for_the_order_of_keys():
    x = torch.arange(6.0).view(2, 3)
    assert claims.digest(x.T) == claims.digest(x.T.contiguous())
    assert claims.digest(np.asarray(x).T) == claims.digest(x.T)
    assert claims.digest({"a": 1, "b": (2, 3)}) == claims.digest({"b": [2, 3], "a": 1})


def test_digests_stay_what_they_were():
    assert claims.digest(DELIVERY) == "6bc221458fdd81ef"
    assert claims.digest(np.arange(3.0)) == claims.digest(torch.arange(3.0).double())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_a_dtype_that_numpy_lacks_has_a_digest(dtype):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True).to(dtype)
    others = [(2 * x.float()).to(dtype), x.T, x.view(4), x.float(), x[0, 0], x.detach().view(torch.uint8)]
    assert len({claims.digest({"w": one}) for one in [x, *others]}) == 1 + len(others)
    assert claims.digest(x) == claims.digest(x.detach().clone())


def test_neighbours_do_not_run_together():
    assert claims.digest(["ab", "c"]) != claims.digest(["a", "bc"])
    assert claims.digest([["a"], "b"]) != claims.digest(["a", ["b"]])


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a": 1, 2: 3}, {"a": {3}}])
def test_what_is_no_plain_value_has_no_digest(value):
    with pytest.raises(ValueError, match="delivery"):
        claims.digest(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (12, "JSON text"),
        ("{", "no JSON"),
        ("[]", "a JSON object"),
        ("{}", "lack the key 'word'"),
        (changed(claims={}), "'claims' is a dict"),
        (changed(claims=[3]), "a JSON object"),
        (changed(claims=[{"figure": "a"}]), "lacks the key 'value'"),
        (claim(value="1"), "'value' is a str"),
        (claim(value=True), "finite number"),
        (claim(value=float("nan")), "finite number"),
        (claim(value=10**400), r"is 1000+\.\.\.0+: a claim's value is a finite number"),
        (claim(value=0).replace(": 0,", ": 1" + "0" * 5000 + ","), "no JSON"),
        (claim(unit=" "), "no unit"),
        (claim(how=""), "how it was measured"),
        (changed(claims=json.loads(claim())["claims"] * 2), "claimed twice"),
    ],
)
def test_claims_that_cannot_be_read_say_what_is_missing(text, message):
    with pytest.raises(ValueError, match=message):
        claims.validate(text)


@pytest.mark.parametrize(
    ("text", "measured", "message"),
    [
        (changed(word="friend"), MEASURED, "for the word 'friend'"),
        (changed(stage="vision"), MEASURED, "for the stage 'vision'"),
        (changed(model="0123456789abcdef"), MEASURED, "about the model 0123456789abcdef"),
        (changed(), {**MEASURED, "lost": (0.04, "B")}, "in 'bit', expected 'B'"),
        (changed(), {**MEASURED, "kernels": (3, "1")}, "nothing is claimed of kernels"),
        (changed(), {**MEASURED, "weight_bytes": (1201, "B")}, "1200 B; measured again, it is 1201 B"),
        (changed(), {**MEASURED, "lost": (0.0402, "bit")}, "0.04 bit; measured again, it is 0.0402 bit"),
    ],
)
def test_claims_that_are_not_true_say_of_what(text, measured, message):
    with pytest.raises(AssertionError, match=message):
        claims.verify(text, "word", "language", DELIVERY, measured)


def test_a_float_may_differ_by_the_tolerance_in_either_direction():
    for sign in (-1, 1):
        text = claims.state(
            "word", "language", DELIVERY, {"lost": (-0.04 * (1 + 0.9 * sign * claims.TOLERANCE), "bit", "so")}
        )
        claims.verify(text, "word", "language", DELIVERY, {"lost": (-0.04, "bit")})
