from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autograder.reports.score_log import BY_HAND, GRADED, LATE, REGRADED, ScoreLog, ScoreLogError, read_log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "course" / "scores.jsonl"


def _what_changed(path: Path) -> list[tuple]:
    return [(one.student, one.lab, one.cell, one.old, one.new, one.cause, one.verdict_key) for one in read_log(path)]


def _term(path: Path) -> None:
    """What happens to two students: graded, marked, regraded."""
    log = ScoreLog(path)
    log.record("ada", "lab1", {"test_a": 2.0, "explain": None}, "key1", GRADED)
    log.record("bob", "lab1", {"test_a": 0.0, "explain": None}, "key2", GRADED)
    log.record("ada", "lab1", {"explain": 3.5}, "", BY_HAND)
    log.record("bob", "lab1", {"test_a": 2.0}, "key3", REGRADED)


def test_every_change_is_kept_with_its_cause(path: Path) -> None:
    _term(path)
    assert _what_changed(path) == [
        ("ada", "lab1", "test_a", None, 2.0, GRADED, "key1"),
        ("ada", "lab1", "explain", None, None, GRADED, "key1"),
        ("bob", "lab1", "test_a", None, 0.0, GRADED, "key2"),
        ("bob", "lab1", "explain", None, None, GRADED, "key2"),
        ("ada", "lab1", "explain", None, 3.5, BY_HAND, ""),
        ("bob", "lab1", "test_a", 0.0, 2.0, REGRADED, "key3"),
    ]
    times = [datetime.fromisoformat(one.time) for one in read_log(path)]
    assert times == sorted(times)
    assert {time.tzinfo for time in times} == {UTC}


def test_what_the_log_knows_is_not_written_again(path: Path) -> None:
    _term(path)
    before = path.read_bytes()
    assert ScoreLog(path).record("ada", "lab1", {"test_a": 2, "explain": 3.5}, "another", REGRADED) == []
    assert path.read_bytes() == before


def test_only_the_cells_that_differ_are_written(path: Path) -> None:
    _term(path)
    changes = ScoreLog(path).record("ada", "lab1", {"test_a": 2.0, "explain": 3.0, "late penalty": -1.0}, "", LATE)
    assert [(one.cell, one.old, one.new) for one in changes] == [("explain", 3.5, 3.0), ("late penalty", None, -1.0)]


def test_the_last_scores_are_told(path: Path) -> None:
    log = ScoreLog(path)
    assert log.last("ada", "lab1") == {}
    _term(path)
    assert log.last("ada", "lab1") == {"test_a": 2.0, "explain": 3.5}
    assert log.last("ada", "lab2") == log.last("eve", "lab1") == {}


def test_killed_at_any_byte_a_second_run_ends_with_the_same_log(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)  # thousands of them
    _term(path)
    whole, expected = path.read_bytes(), _what_changed(path)
    for size in range(len(whole) + 1):
        cut = tmp_path / "cut.jsonl"
        cut.write_bytes(whole[:size])
        kept = _what_changed(cut)
        assert kept == expected[: whole[:size].count(b"\n")]
        log, done = ScoreLog(cut), len(kept)
        # The second run records all that the first one did and had not reached when it was killed.
        for student, lab, cell, _, new, cause, key in expected[done:]:
            log.record(student, lab, {cell: new}, key, cause)
        assert _what_changed(cut) == expected


def test_a_torn_line_is_cut_off_even_if_it_is_whole_but_for_its_newline(path: Path) -> None:
    _term(path)
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    assert len(read_log(path)) == 5
    ScoreLog(path).record("bob", "lab1", {"test_a": 1.0}, "key4", REGRADED)
    assert _what_changed(path)[-1] == ("bob", "lab1", "test_a", 0.0, 1.0, REGRADED, "key4")


def test_writers_side_by_side_lose_and_repeat_nothing(path: Path) -> None:
    def write(number: int) -> None:
        log = ScoreLog(path)
        for student in range(20):
            log.record(f"s{student}", "lab1", {"test_a": 1.0, f"test_{number}": 2.0}, "", GRADED)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    found = [(one.student, one.cell) for one in read_log(path)]
    assert len(found) == len(set(found)) == 20 * 5


def test_a_writer_sees_what_another_appended(path: Path) -> None:
    first, second = ScoreLog(path), ScoreLog(path)
    first.record("ada", "lab1", {"test_a": 1.0}, "", GRADED)
    second.record("ada", "lab1", {"test_a": 2.0}, "", REGRADED)
    (change,) = first.record("ada", "lab1", {"test_a": 1.0}, "", REGRADED)
    assert (change.old, change.new) == (2.0, 1.0)


def test_an_unknown_cause_and_a_score_that_is_no_number_are_refused(path: Path) -> None:
    log = ScoreLog(path)
    with pytest.raises(ScoreLogError, match="not 'magic'"):
        log.record("ada", "lab1", {"test_a": 1.0}, "", "magic")
    with pytest.raises(ScoreLogError, match="finite number, not nan"):
        log.record("ada", "lab1", {"test_a": float("nan")}, "", GRADED)
    assert not path.exists()


@pytest.mark.parametrize("line", ["no json", "[]", "{}", json.dumps({"student": "ada"})])
def test_a_foreign_line_is_named_and_nothing_is_written(path: Path, line: str) -> None:
    _term(path)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + line.encode() + b"\n")
    content = path.read_bytes()
    with pytest.raises(ScoreLogError, match=f"byte {size} is no score change"):
        ScoreLog(path).record("ada", "lab1", {"test_a": 9.0}, "", REGRADED)
    with pytest.raises(ScoreLogError, match=f"byte {size} is no score change"):
        read_log(path)
    assert path.read_bytes() == content


def test_a_name_cannot_forge_a_line(path: Path) -> None:
    ScoreLog(path).record('a"}\n{"student": "b', "lab1", {"test\r\u2028": 1.0}, "", GRADED)
    assert [one.student for one in read_log(path)] == ['a"}\n{"student": "b']
