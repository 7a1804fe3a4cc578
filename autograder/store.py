"""The verdicts of a course, one file each, named by what they follow from."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from autograder import files
from autograder.errors import AutograderError
from autograder.fingerprint import Key
from autograder.verdict import Verdict, verdict_from_json


class StoreError(AutograderError):
    """The store cannot be written to: grading must not go on."""


class VerdictStore:
    """A folder of verdicts that any number of processes may read and write.

    A file is written whole or not at all, and one that cannot be read counts as absent.

    Parameters
    ----------
    folder : Path
        Made when the first verdict is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: Key) -> Verdict | None:
        """The verdict, if every test of the lab was judged as it stands today."""
        verdict = self._valid(key)
        return verdict if verdict and verdict.outcomes.keys() == key.tests.keys() else None

    def put(self, key: Key, verdict: Verdict, *, afresh: bool = False) -> Verdict:
        """Keep a verdict; return what is kept.

        Outcomes of tests that did not change since they were kept stay, unless `afresh`: who corrects one test
        means to change no other's points, not even those of a test that runs into its time limit now and then.

        Raises
        ------
        StoreError
            The disk is full, or the folder may not be written.
        """
        known = None if afresh else self._valid(key)
        if known:
            verdict = replace(verdict, outcomes=verdict.outcomes | known.outcomes)
        try:
            files.write(self._path(key), json.dumps({"tests": key.tests, "verdict": asdict(verdict)}, indent=1))
        except OSError as error:
            raise StoreError(f"{self.folder}: a verdict cannot be kept: {error}") from None
        return verdict

    def _path(self, key: Key) -> Path:
        return self.folder / f"{key.hand_in}.json"

    def _valid(self, key: Key) -> Verdict | None:
        """The kept verdict with the outcomes of those tests alone that have not changed since."""
        try:
            plain = json.loads(self._path(key).read_text(encoding="utf-8"))
            verdict = verdict_from_json(json.dumps(plain["verdict"]))
            unchanged = key.tests.items() & plain["tests"].items()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        same = {test for test, _ in unchanged}
        return replace(verdict, outcomes={test: one for test, one in verdict.outcomes.items() if test in same})
