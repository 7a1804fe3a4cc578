"""Whose a file is: the names that Moodle, Canvas, Gradescope and people give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.handin import HandInError
from autograder.intake.layouts import Owner, Submission, canvas, is_named_for, moodle, submissions
from autograder.intake.members import Listing, Member

LAB = "lab90_tiny"


def _member(path: str, content: bytes = b"{}") -> Member:
    parts = tuple(part for part in path.split("/") if part)
    return Member(parts, "2026-03-01T12:00:00", path.endswith("/"), content=lambda limit: content)


def _sorted(*paths: str) -> tuple[list[Submission], list[str]]:
    return submissions(Listing([_member(path) for path in paths]), LAB)


def _files(found: list[Submission]) -> dict[str, list[str]]:
    return {one.owner.name: [claim.file for claim in one.claims] for one in found}


MOODLE = {
    "Jane Doe_1234567_assignsubmission_file/lab.ipynb": ("Jane Doe", "1234567", "lab.ipynb"),
    "Jane Doe_1234567_assignsubmission_file_/lab.ipynb": ("Jane Doe", "1234567", "lab.ipynb"),
    "Jane Doe_1234567_assignsubmission_file_/deep/lab.ipynb": ("Jane Doe", "1234567", "lab.ipynb"),
    "Jane Doe_1234567_assignsubmission_file_my_lab_1_2.ipynb": ("Jane Doe", "1234567", "my_lab_1_2.ipynb"),
    "Jane Doe_1_assignsubmission_onlinetext/onlinetext.html": ("Jane Doe", "1", "onlinetext.html"),
    "Participant_77_assignsubmission_file_/lab.ipynb": ("Participant", "77", "lab.ipynb"),
    "Team A_5_assignsubmission_file_/lab.ipynb": ("Team A", "5", "lab.ipynb"),
    "Default group_assignsubmission_file_/lab.ipynb": ("Default group", "", "lab.ipynb"),
    "José Núñez-Ö'Neil_8_assignsubmission_file_/lab.ipynb": ("José Núñez-Ö'Neil", "8", "lab.ipynb"),
    "王伟_9_assignsubmission_file_/作业.ipynb": ("王伟", "9", "作业.ipynb"),
    "Jane Doe_1_assignsubmission_file_a\nb.ipynb": ("Jane Doe", "1", "a\nb.ipynb"),
}
CANVAS = {
    "doejane_12345_678901_lab.ipynb": ("doejane", "12345", False, 678901, "lab.ipynb"),
    "doejane_LATE_12345_678901_lab.ipynb": ("doejane", "12345", True, 678901, "lab.ipynb"),
    "doejane_12345_678901_lab-2.ipynb": ("doejane", "12345", False, 678901, "lab-2.ipynb"),
    "doejane_12345_678901_my_lab (1).ipynb": ("doejane", "12345", False, 678901, "my_lab (1).ipynb"),
    "de_la_cruzana_1_2_x.ipynb": ("de_la_cruzana", "1", False, 2, "x.ipynb"),
    "anon_ab1Cd_55_66_x.ipynb": ("", "anon_ab1Cd", False, 55, "66_x.ipynb"),
    "LATE_anon_ab1Cd_55_x.ipynb": ("", "anon_ab1Cd", True, 55, "x.ipynb"),
    "doejane_12345_text.html": ("doejane", "12345", False, 0, ""),
    "doejane_LATE_12345_link.html": ("doejane", "12345", True, 0, ""),
    "वर्माअनु_12_34_x.ipynb": ("वर्माअनु", "12", False, 34, "x.ipynb"),
    "doejane_12_34_a\nb.ipynb": ("doejane", "12", False, 34, "a\nb.ipynb"),
}


@pytest.mark.parametrize("path", MOODLE)
def test_moodles_names_tell_name_number_and_file(path: str) -> None:
    (claim,) = moodle(_member(path))
    assert (claim.owner.name, claim.owner.lms_id, claim.file) == MOODLE[path]
    assert (claim.owner.lms, claim.owner.late) == ("moodle", None)


@pytest.mark.parametrize("path", CANVAS)
def test_canvas_names_tell_name_number_lateness_attachment_and_file(path: str) -> None:
    (claim,) = canvas(_member(path))
    owner = claim.owner
    assert (owner.name, owner.lms_id, owner.late, claim.order[1], claim.file) == CANVAS[path]
    assert owner.lms == "canvas"


@pytest.mark.parametrize(
    "name",
    ["alice.ipynb", "lab90_tiny.ipynb", "team_1.ipynb", "notes.txt", "_1_.ipynb", "a_1_" + "2" * 5000 + "_x", ""],
)
def test_other_names_are_neither_moodles_nor_canvas(name: str) -> None:
    assert moodle(Member((name,))) == canvas(Member((name,))) == []


@given(st.text(max_size=60))
def test_any_name_is_sorted_or_not_without_an_error(name: str) -> None:
    for layout in (moodle, canvas):
        for claim in layout(Member((name,))):
            assert claim.owner.name in name and claim.file in name


def test_plain_names_are_the_students() -> None:
    found, notes = _sorted("alice.ipynb", "bob/", f"bob/{LAB}.ipynb", "carol.zip", "notes.txt")
    assert _files(found) == {"alice": ["alice.ipynb"], "bob": ["bob", f"{LAB}.ipynb"], "carol": ["carol.zip"]}
    assert {one.owner.lms for one in found} == {""}
    assert notes == []


def test_a_file_and_a_folder_named_alike_stay_two() -> None:
    assert [one.owner.name for one in _sorted("alice.ipynb", f"alice/{LAB}.ipynb")[0]] == ["alice", "alice"]


def test_all_files_of_one_student_come_together() -> None:
    found, _ = _sorted("doejane_1_5_a.ipynb", "roejim_2_6_a.ipynb", "doejane_1_7_b.ipynb")
    assert _files(found) == {"doejane": ["a.ipynb", "b.ipynb"], "roejim": ["a.ipynb"]}


def test_namesakes_stay_two() -> None:
    found, _ = _sorted("Jane Doe_1_assignsubmission_file_a.ipynb", "Jane Doe_2_assignsubmission_file_a.ipynb")
    assert [one.owner for one in found] == [Owner("Jane Doe", "moodle", "1"), Owner("Jane Doe", "moodle", "2")]


def test_one_students_file_name_changes_the_layout_of_nobody_else() -> None:
    found, _ = _sorted("doejane_1_2_a.ipynb", "roejim_3_4_X_9_assignsubmission_file_a.ipynb")
    assert [(one.owner.lms, one.owner.lms_id) for one in found] == [("canvas", "1"), ("canvas", "3")]
    found, _ = _sorted("alice.ipynb", "bob.ipynb", "eve_1_2_x.ipynb")
    assert _files(found) == {"alice": ["alice.ipynb"], "bob": ["bob.ipynb"], "eve_1_2_x": ["eve_1_2_x.ipynb"]}


def test_a_notebook_beside_an_lms_download_is_reported() -> None:
    found, notes = _sorted("doejane_1_2_a.ipynb", "roejim_3_4_a.ipynb", "solution\x1b.ipynb", "notes.txt")
    assert len(found) == 2
    assert notes == ["solution?.ipynb: not taken, it is not named as the other hand-ins are"]


def test_a_name_with_another_students_number_in_it_stands_behind() -> None:
    (own,) = canvas(_member("doejane_17_888_answer.ipynb"))
    (forged,) = canvas(_member("doejane_17_99999_x_55_77777_answer.ipynb"))
    assert own.order > forged.order


@pytest.mark.parametrize(
    ("paths", "students"),
    [
        (["all/alice.ipynb", "all/bob.ipynb"], ["alice", "bob"]),
        (["all/", f"all/alice/{LAB}.ipynb", "all/bob/"], ["alice", "bob"]),
        (["all/doejane_1_2_a.ipynb", "all/roejim_3_4_a.ipynb"], ["doejane", "roejim"]),
        ([f"alice/{LAB}.ipynb"], ["alice"]),
        ([f"alice/{LAB}.ipynb", "alice/data.csv"], ["alice"]),
        ([f"alice/{LAB}/{LAB}.ipynb", "alice/timestamp.txt"], ["alice"]),
        (["Jane_1_assignsubmission_file/a.ipynb", "Jane_1_assignsubmission_file/b.csv"], ["Jane"]),
    ],
)
def test_a_folder_around_everything_is_looked_through(paths: list[str], students: list[str]) -> None:
    assert [one.owner.name for one in _sorted(*paths)[0]] == students


@pytest.mark.parametrize(
    ("file", "named"),
    [
        (f"{LAB}.ipynb", True),
        (f"{LAB.upper()}.ipynb", True),
        (f"{LAB}-12.ipynb", True),
        (f"{LAB} (3).zip", True),
        (f"{LAB}-Copy1.ipynb", True),
        (f"my_{LAB}.ipynb", False),
        (f"{LAB}_and_more.ipynb", False),
        ("lab91_other.ipynb", False),
    ],
)
def test_a_copys_name_is_still_the_labs(file: str, named: bool) -> None:
    assert is_named_for(LAB, file) is named


METADATA = b"""---
submission_11:
  :submitters:
  - :name: First Last
    :sid: '0123'
    :email: first@example.org
  :created_at: 2026-04-26 17:34:00.861687000 Z
  :results:
    output: |-
      - :name: nobody
submission_12:
  :submitters:
  - :name: Alice A
    :sid: 7
  - :name: Bob B
    :email: bob@example.org
  :created_at: 2026-04-27 09:00:00 -07:00
submission_13:
  :submitters: []
submission_14:
  :submitters:
  - :name: No File
    :sid: '99'
junk: 3
"""


def _gradescope(metadata: bytes, *paths: str) -> tuple[list[Submission], list[str]]:
    members = [_member("export/submission_metadata.yml", metadata), *(_member(f"export/{path}") for path in paths)]
    return submissions(Listing(members), LAB)


def test_gradescopes_metadata_tells_whose_a_folder_is() -> None:
    found, notes = _gradescope(METADATA, "submission_11/a.ipynb", "submission_12/b.ipynb", "submission_13/c.ipynb")
    owners = {one.owner.label: one.owner.name for one in found}
    assert owners == {
        "0123": "First Last",
        "7": "Alice A",
        "bob@example.org": "Bob B",
        "submission_13": "submission_13",
        "99": "No File",
    }
    assert notes == ["Alice A, Bob B: handed in together"]
    assert [one.claims[0].time for one in found[:2]] == ["2026-04-26T17:34:00Z", "2026-04-27T09:00:00-07:00"]
    assert [claim.file for claim in found[1].claims if not claim.member.is_folder] == ["b.ipynb"]


UNREADABLE = {
    "cut off": b"a: [",
    "a list": b"[1, 2]",
    "no text": b"\xff\xfe\x00",
    "empty": b"",
    "open quote": b"'",
    "recursive": b"a: &a [*a]",
    "deep flow": b"a: " + b"[" * 100_000,
    "deep block": b"a:\n" + b"- " * 5000,
}


@pytest.mark.parametrize("metadata", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_metadata_is_refused(metadata: bytes) -> None:
    with pytest.raises(HandInError, match=r"^submission_metadata.yml: not readable as YAML$"):
        _gradescope(metadata, "submission_11/a.ipynb")


def test_metadata_of_unexpected_form_names_the_folder() -> None:
    metadata = b"submission_1: {':submitters': 3}\nsubmission_2: {':submitters': [3, {':name': [x]}]}\n"
    found, _ = _gradescope(metadata, "submission_1/a.ipynb")
    assert [one.owner.name for one in found] == ["submission_1", "submission_2"]
