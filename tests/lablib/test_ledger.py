"""Figures outlive notebooks, and no writer takes another's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lablib import ledger

LABLIB = Path(ledger.__file__).parents[1]


@pytest.fixture
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of labs, seen from the folder of one of them."""
    folder = tmp_path / "labs" / "lab09_quantisation"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder.parent


def test_what_one_lab_records_another_reads(labs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ledger.figures() == {}
    ledger.record("lab09_quantisation", {"gpt_bits": np.int64(3), "gpt_perplexity_ratio": 1.06})
    (labs / "lab18_capstone").mkdir()
    monkeypatch.chdir(labs / "lab18_capstone")
    ledger.record("lab18_capstone", {"claims": 4})
    kept = {
        "lab09_quantisation": {"gpt_bits": 3, "gpt_perplexity_ratio": 1.06},
        "lab18_capstone": {"claims": 4},
    }
    assert ledger.figures() == kept == json.loads((labs / "ledger.json").read_text())
    assert type(ledger.figures()["lab09_quantisation"]["gpt_bits"]) is int


def test_a_later_call_replaces_by_name(labs: Path) -> None:
    ledger.record("lab09_quantisation", {"a": 1, "b": 2})
    ledger.record("lab09_quantisation", {"b": 3.5})
    assert ledger.figures() == {"lab09_quantisation": {"a": 1, "b": 3.5}}


def test_elsewhere_the_file_is_beside_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ledger.record("lab09_quantisation", {"a": 1})
    assert (tmp_path / "ledger.json").is_file()


def test_what_is_not_computed_yet_is_left_out_and_named(labs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def stub() -> float:
        raise NotImplementedError("quantise: replace this line with your solution")

    table: dict[str, float] = {}
    ledger.record("lab09_quantisation", {"a": 2, "b": stub, "c": lambda: table["vit"], "d": lambda: eval("never")})
    assert capsys.readouterr().out == "Recorded of lab09_quantisation: a = 2. Still open: b, c, d.\n"
    assert ledger.figures() == {"lab09_quantisation": {"a": 2}}
    ledger.record("lab10_adaptive_compute", {"b": stub})
    assert capsys.readouterr().out == "Recorded of lab10_adaptive_compute: nothing. Still open: b.\n"
    assert "lab10_adaptive_compute" not in ledger.figures()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "3", None, np.zeros(1)])
@pytest.mark.parametrize("late", [False, True])
def test_a_figure_is_a_finite_number(labs: Path, value: object, late: bool) -> None:
    with pytest.raises(ValueError, match="The figure b is to be a finite number, and is"):
        ledger.record("lab09_quantisation", {"a": 1, "b": (lambda: value) if late else value})
    assert ledger.figures() == {}


@pytest.mark.parametrize("name", ["two words", "", "Perplexity", "3_bits", "größe", 3])
def test_a_name_is_a_word(labs: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is a word such as"):
        ledger.record("lab09_quantisation", {name: 1})


@pytest.mark.parametrize("lab", ["lab9", "quantisation", "", "../lab09_x", None])
def test_a_lab_has_its_full_name(labs: Path, lab: str) -> None:
    with pytest.raises(ValueError, match="expects a lab's name such as"):
        ledger.record(lab, {"a": 1})


@pytest.mark.parametrize("text", ["", '{"lab09_quantisation": {"a": 1', "[]", '{"lab09_quantisation": 3}'])
def test_a_broken_file_is_one_sentence_and_stays(labs: Path, text: str) -> None:
    (labs / "ledger.json").write_text(text)
    for attempt in (ledger.figures, lambda: ledger.record("lab09_quantisation", {"a": 1})):
        with pytest.raises(ValueError, match=r"ledger\.json .* mend it, or give it another name") as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert (labs / "ledger.json").read_text() == text


def test_a_value_that_somebody_wrote_is_checked(labs: Path) -> None:
    (labs / "ledger.json").write_text('{"lab09_quantisation": {"a": NaN}}')
    with pytest.raises(ValueError, match="has a = nan for lab09_quantisation"):
        ledger.figures()


WRITER = """
import sys
from lablib import ledger
for turn in range(25):
    ledger.record(sys.argv[1], {f"turn_{turn}": turn})
    assert len(ledger.figures()[sys.argv[1]]) == turn + 1
"""


def test_several_notebooks_at_once_lose_nothing(labs: Path) -> None:
    names = [f"lab0{number}_writer" for number in range(1, 5)]
    env = os.environ | {"PYTHONPATH": str(LABLIB)}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, name], env=env, stdout=subprocess.DEVNULL) for name in names
    ]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    assert ledger.figures() == {name: {f"turn_{turn}": turn for turn in range(25)} for name in names}


def test_a_writer_that_dies_before_the_end_changes_nothing(labs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.record("lab09_quantisation", {"a": 1})
    before = (labs / "ledger.json").read_bytes()

    def no_room(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(OSError, match="No space left"):
        ledger.record("lab09_quantisation", {"a": 2})
    assert (labs / "ledger.json").read_bytes() == before
