from __future__ import annotations

import hashlib

import pytest
import torch

from lablib.federated.keys import agree, public_key, stream

A, B, C = (bytes(range(start, start + 32)) for start in (0, 50, 100))


def test_two_agree_and_a_third_does_not():
    assert agree(A, public_key(B)) == agree(B, public_key(A)) != agree(C, public_key(A))


def test_a_stream_is_shake_256_in_words_of_four_bytes():
    found = stream(A, 3)
    raw = hashlib.shake_256(A).digest(12)
    assert found.dtype == torch.int64
    assert found.tolist() == [int.from_bytes(raw[i : i + 4], "little") for i in (0, 4, 8)]


def test_words_fill_the_range():
    words = stream(B, 20_000).double() / 2**32
    assert words.min() >= 0 and words.max() < 1
    assert abs(words.mean() - 0.5) < 0.01 and abs(words.std() - 12**-0.5) < 0.01


@pytest.mark.parametrize(("value", "said"), [(b"short", "5 bytes"), ("x" * 32, "a str")])
def test_what_is_no_key_is_refused(value, said):
    with pytest.raises(ValueError, match=f"32 bytes; this is {said}"):
        stream(value, 4)
