"""Verdicts are kept by what they follow from, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from autograder import files, fingerprint, master
from autograder.fingerprint import Key
from autograder.master import Lab
from autograder.outcomes import FAILED, PASSED, Outcome
from autograder.store import StoreError, VerdictStore
from autograder.verdict import Job, Verdict

from .conftest import TINY

KEY = Key("0" * 64, {"test_double": "d", "test_area": "a"})
VERDICT = Verdict(
    "lab90_tiny",
    {"test_double": Outcome(FAILED, "no", ("AssertionError",), 0.5), "test_area": Outcome(PASSED)},
    {"double": "hello\n"},
    ["slow"],
)


@pytest.fixture
def store(tmp_path: Path) -> VerdictStore:
    return VerdictStore(tmp_path / "verdicts")


def _key(root: Path, **changed: object) -> Key:
    lab = master.find(root, "lab90")
    job = replace(Job(root, lab.name, {"double": "1"}, seed_key="s"), **changed)
    return fingerprint.key(job, lab, fingerprint.surroundings(lab))


def _edit(lab: Lab, old: str, new: str) -> None:
    assert old in TINY
    lab.path.write_text(TINY.replace(old, new), encoding="utf-8")


def test_a_verdict_comes_back_as_it_was_put(store: VerdictStore) -> None:
    assert store.get(KEY) is None
    assert store.put(KEY, VERDICT) == VERDICT
    assert store.get(KEY) == VERDICT
    assert [path.suffix for path in store.folder.iterdir()] == [".json"]


def test_the_same_hand_in_has_the_same_key(repository: Path, tiny: Lab) -> None:
    assert _key(repository) == _key(repository)
    _edit(tiny, "# # Lab 90 · Tiny", "# # Lab 90 · Other prose")
    assert _key(repository, modules=("torch",)).hand_in == _key(repository).hand_in


@pytest.mark.parametrize("changed", [{"answers": {"double": "2"}}, {"seed_key": "t"}, {"sandbox": "none"}])
def test_another_hand_in_term_or_sandbox_has_another_key(repository: Path, tiny: Lab, changed: dict) -> None:
    assert _key(repository, **changed).hand_in != _key(repository).hand_in


def test_setup_assets_and_packages_are_part_of_the_key(
    repository: Path, tiny: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [_key(repository).hand_in]
    _edit(tiny, "import math", "import math, cmath")
    keys.append(_key(repository).hand_in)
    _edit(tiny, 'tags=["setup"]', 'tags=["setup"] withhold=["lablib.models.gpt"]')
    keys.append(_key(repository).hand_in)
    (tiny.path.parent / "assets").mkdir()
    (tiny.path.parent / "assets" / "data.txt").write_text("1")
    keys.append(_key(repository).hand_in)
    monkeypatch.setattr(fingerprint, "version", lambda package: "0.0")
    keys.append(_key(repository).hand_in)
    assert len(set(keys)) == 5


def test_every_source_that_can_change_a_verdict_is_hashed() -> None:
    package = Path(fingerprint.__file__).parent
    assert all((package / name).exists() for name in fingerprint.JUDGING)
    told = "import sys, autograder.judging; print(*(name for name in sys.modules if name.startswith('autograder.')))"
    done = subprocess.run([sys.executable, "-c", told], cwd=package.parent, capture_output=True, text=True, check=True)
    imported = {name.split(".")[1] for name in done.stdout.split()}
    of_masters = {"errors", "syllabus", "wrong_answers"}  # what masters may say: it judges nobody
    assert imported - of_masters <= {name.removesuffix(".py") for name in fingerprint.JUDGING}


def test_a_corrected_test_leaves_the_outcomes_of_others(repository: Path, tiny: Lab, store: VerdictStore) -> None:
    before = _key(repository)
    store.put(before, VERDICT)
    _edit(tiny, "double(2) == 4", "double(3) == 6")
    after = _key(repository)
    assert after.hand_in == before.hand_in
    assert after.tests["test_area"] == before.tests["test_area"]
    assert store.get(after) is None
    anew = replace(VERDICT, outcomes={"test_double": Outcome(PASSED), "test_area": Outcome(FAILED, "time limit")})
    kept = store.put(after, anew)
    assert kept.outcomes == {"test_double": Outcome(PASSED), "test_area": Outcome(PASSED)}
    assert store.get(after) == kept
    assert store.put(after, anew, afresh=True) == anew


@pytest.mark.parametrize("size", [0, 1, 40, 300])
def test_a_torn_file_counts_as_absent(store: VerdictStore, size: int) -> None:
    store.put(KEY, VERDICT)
    (path,) = store.folder.iterdir()
    os.truncate(path, size)
    assert store.get(KEY) is None
    store.put(KEY, VERDICT)
    assert store.get(KEY) == VERDICT


@pytest.mark.parametrize("text", ["[]", "{}", '{"tests": 1, "verdict": 2}', '{"tests": {}, "verdict": {"lab": "x"}}'])
def test_a_foreign_file_counts_as_absent(store: VerdictStore, text: str) -> None:
    store.put(KEY, VERDICT)
    (path,) = store.folder.iterdir()
    path.write_text(text)
    assert store.get(KEY) is None


def test_a_writer_killed_on_the_way_leaves_what_was_there(store: VerdictStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(KEY, VERDICT)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        store.put(KEY, replace(VERDICT, remarks=["other"]), afresh=True)
    assert store.get(KEY) == VERDICT


def test_a_store_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "verdicts").write_text("a file")
    with pytest.raises(StoreError, match="a verdict cannot be kept"):
        VerdictStore(tmp_path / "verdicts").put(KEY, VERDICT)


def test_readers_never_meet_half_a_verdict(store: VerdictStore) -> None:
    store.put(KEY, VERDICT)
    with ThreadPoolExecutor(4) as pool:
        written = [pool.submit(store.put, KEY, VERDICT) for _ in range(40)]
        found = [store.get(KEY) for _ in range(200)]
    assert all(future.result() == VERDICT for future in written)
    assert all(verdict == VERDICT for verdict in found)


def test_a_file_is_created_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "course" / "secret"
    assert files.create(path, "first", mode=0o600)
    assert not files.create(path, "second", mode=0o600)
    assert path.read_text() == "first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
