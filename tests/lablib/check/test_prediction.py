"""The first prediction stays."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from lablib import check


def test_the_first_prediction_stays(tmp_path, capsys) -> None:
    assert check.lock("ratio", 2.0, tmp_path) == 2.0
    assert check.lock("ratio", 2.0, tmp_path) == 2.0
    assert capsys.readouterr().out == "Locked: ratio = 2.\n"
    assert check.lock("ratio", 3.0, tmp_path) == 2.0
    assert "You locked ratio = 2 first; 3 is what you think now" in capsys.readouterr().out
    assert check.lock("other", 1, tmp_path) == 1.0
    assert json.loads((tmp_path / "predictions.json").read_text()) == {"ratio": 2.0, "other": 1}


@pytest.mark.parametrize("value", [np.int64(3), np.float32(3), Fraction(3)])
def test_numbers_of_every_kind_are_locked(tmp_path, value) -> None:
    assert check.lock("ratio", value, tmp_path) == 3.0
    assert json.loads((tmp_path / "predictions.json").read_text()) == {"ratio": 3}


@pytest.mark.parametrize("text", ['{\n  "ratio": 2.0,\n}', '{"ratio": "2"}', "[2.0]"])
def test_a_broken_file_gets_a_sentence_and_stays(tmp_path, text) -> None:
    (tmp_path / "predictions.json").write_text(text)
    with pytest.raises(ValueError, match=r"predictions\.json is .*mend it, or give it another name"):
        check.lock("other", 1.0, tmp_path)
    assert (tmp_path / "predictions.json").read_text() == text


def test_a_write_that_fails_leaves_the_file_as_it_is(tmp_path, monkeypatch) -> None:
    check.lock("ratio", 2.0, tmp_path)

    def full(handle: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("lablib.beside.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        check.lock("other", 1.0, tmp_path)
    assert json.loads((tmp_path / "predictions.json").read_text()) == {"ratio": 2.0}


@pytest.mark.parametrize("value", [None, ..., "3", float("nan"), float("inf"), True, np.float64("nan"), 10**400])
def test_a_prediction_is_a_number(tmp_path, value) -> None:
    with pytest.raises(ValueError, match="must be a finite number"):
        check.lock("ratio", value, tmp_path)
    assert not (tmp_path / "predictions.json").exists()
