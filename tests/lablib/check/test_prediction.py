"""The first prediction stays."""

from __future__ import annotations

import json

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


@pytest.mark.parametrize("value", [None, ..., "3", float("nan"), float("inf"), True])
def test_a_prediction_is_a_number(tmp_path, value) -> None:
    with pytest.raises(ValueError, match="must be a finite number"):
        check.lock("ratio", value, tmp_path)
    assert not (tmp_path / "predictions.json").exists()
