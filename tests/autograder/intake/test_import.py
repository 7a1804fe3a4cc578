"""From what an LMS or a teacher has to one regular notebook a student in the course, and a record of where it was."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.course import Course
from autograder.errors import AutograderError
from autograder.handin import MAX_BYTES
from autograder.intake import STUDENT_ID, Imported, IntakeError, import_hand_ins
from autograder.intake.record import read_record, record_path
from autograder.master import Lab

from ..conftest import ROOT
from .samples import crowded, patched, sharing, with_mode, zipped

LAB = "lab90_tiny"


@pytest.fixture
def course(repository: Path) -> Course:
    return Course(repository)


@pytest.fixture
def handins(tmp_path: Path) -> Path:
    (tmp_path / "handins").mkdir()
    return tmp_path / "handins"


def _zip(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _submitted(course: Course, lab: Lab) -> dict[str, bytes]:
    """Content by student; nothing but notebooks may lie there."""
    found = {}
    for path in (course.folder / "submitted").rglob("*"):
        if not path.is_dir():
            assert stat.S_ISREG(path.lstat().st_mode)
            student = path.parent.parent.name
            assert path == course.submitted(student, lab)
            found[student] = path.read_bytes()
    return found


def test_moodles_download_is_imported(course: Course, tiny: Lab, handins: Path) -> None:
    files = {
        "Jane Doe_11_assignsubmission_file_/lab90_tiny.ipynb": "jane",
        "Zoë Öz_12_assignsubmission_file_/answer.ipynb": "zoe",
        "Zoë Öz_12_assignsubmission_onlinetext_/onlinetext.html": "<p>",
        "Jo Roe_13_assignsubmission_file_/report.pdf": "%PDF",
    }
    imported = import_hand_ins(course, tiny, _zip(handins / "moodle.zip", zipped(files)))
    assert imported == Imported(
        ["Jane_Doe", "Zoe_Oz"], {"Jo_Roe": "no notebook among the files handed in (1)"}, imported.notes
    )
    assert imported.notes == []
    assert _submitted(course, tiny) == {"Jane_Doe": b"jane", "Zoe_Oz": b"zoe"}
    record = read_record(course, tiny)
    jane = record["Jane_Doe"]
    assert (jane.name, jane.lms, jane.lms_id, jane.late) == ("Jane Doe", "moodle", "11", None)
    assert (jane.file, jane.time) == ("Jane Doe_11_assignsubmission_file_/lab90_tiny.ipynb", "2026-03-01T12:30:00")
    assert jane.sha256 == hashlib.sha256(b"jane").hexdigest()
    assert (record["Jo_Roe"].refused, record["Jo_Roe"].sha256) == ("no notebook among the files handed in (1)", "")


def test_of_a_canvas_download_the_newest_copy_counts(course: Course, tiny: Lab, handins: Path) -> None:
    files = {
        "doejane_LATE_7_20_lab90_tiny-1.ipynb": "newer",
        "doejane_LATE_7_9_lab90_tiny.ipynb": "older",
        "roejim_8_30_lab90_tiny.ipynb": "jim",
        "loej_9_text.html": "<p>",
    }
    imported = import_hand_ins(course, tiny, _zip(handins / "submissions.zip", zipped(files)))
    assert _submitted(course, tiny) == {"doejane-7": b"newer", "roejim-8": b"jim"}
    assert imported.refused == {"loej-9": "no notebook among the files handed in (1)"}
    assert imported.notes == ["doejane-7: 2 files handed in, of which lab90_tiny-1.ipynb, the newest, counts"]
    record = read_record(course, tiny)
    assert {student: (entry.lms_id, entry.late) for student, entry in record.items()} == {
        "doejane-7": ("7", True),
        "roejim-8": ("8", False),
        "loej-9": ("9", False),
    }


def test_gradescopes_export_is_imported_for_every_member_of_a_group(course: Course, tiny: Lab, handins: Path) -> None:
    metadata = (
        "submission_1:\n  :submitters:\n  - :name: Jane Doe\n    :sid: '01'\n  - :name: Jo Roe\n    :email: jo@x.org\n"
        "submission_2:\n  :submitters:\n  - :name: Al Ly\n    :sid: '03'\n"
    )
    files = {"export/submission_metadata.yml": metadata, "export/submission_1/a/lab90_tiny.ipynb": "both"}
    imported = import_hand_ins(course, tiny, _zip(handins / "export.zip", zipped(files)))
    assert _submitted(course, tiny) == {"01": b"both", "jo@x.org": b"both"}
    assert imported.refused == {"03": "no file was handed in"}
    assert imported.notes == ["Jane Doe, Jo Roe: handed in together"]


def test_unreadable_gradescope_metadata_ends_the_import(course: Course, tiny: Lab, handins: Path) -> None:
    (handins / "submission_metadata.yml").write_text("[")
    with pytest.raises(IntakeError, match=r"submission_metadata.yml: not readable as YAML"):
        import_hand_ins(course, tiny, handins)


def test_a_folder_is_imported_in_both_layouts(course: Course, tiny: Lab, handins: Path) -> None:
    (handins / "alice").mkdir()
    (handins / "empty").mkdir()
    (handins / "alice" / f"{LAB}.ipynb").write_text("{}")
    (handins / "alice" / "lab91_other.ipynb").write_text("other")
    (handins / "bob.ipynb").write_text("[]")
    (handins / "alice.ipynb").write_text("1")
    (handins / "notes.txt").write_text("")
    (handins / "eve.ipynb").symlink_to("/etc/passwd")
    (handins / "mallory").symlink_to("/etc")
    os.mkfifo(handins / "trudy")
    imported = import_hand_ins(course, tiny, handins)
    assert imported.taken == ["alice", "alice-2", "bob"]
    assert imported.refused == {
        "eve": "not a regular file",
        "mallory": "not a regular file",
        "trudy": "not a regular file",
        "empty": f"there is no {LAB}.ipynb",
    }
    assert imported.notes == ["alice has the id alice-2"]
    assert _submitted(course, tiny) == {"alice": b"{}", "alice-2": b"1", "bob": b"[]"}


def test_one_notebook_is_imported_even_by_a_link(course: Course, tiny: Lab, handins: Path) -> None:
    (handins / "somewhere.ipynb").write_text("{}")
    (handins / "carol.ipynb").symlink_to("somewhere.ipynb")
    assert import_hand_ins(course, tiny, handins / "carol.ipynb").taken == ["carol"]
    assert _submitted(course, tiny) == {"carol": b"{}"}


def test_a_hand_in_may_be_a_zip_of_one_notebook(course: Course, tiny: Lab, handins: Path) -> None:
    (handins / "alice.zip").write_bytes(zipped({"my work/final.ipynb": "alice", "my work/data.csv": ""}))
    (handins / "bob.ipynb").write_bytes(zipped({"x.ipynb": "old", f"{LAB}.ipynb": "bob"}))  # whatever it is called
    (handins / "carol.zip").write_bytes(zipped({"report.pdf": "", "x.ipynb/": ""}))
    (handins / "dan.zip").write_bytes(zipped({"x.ipynb": zipped({"x.ipynb": "dan"})}))
    (handins / "eve.zip").write_bytes(zipped({"../../../eve.ipynb": "eve"}))
    (handins / "fay.zip").write_text("{}")
    imported = import_hand_ins(course, tiny, handins)
    assert _submitted(course, tiny) == {"alice": b"alice", "bob": b"bob", "fay": b"{}"}
    assert imported.refused == {
        "carol": "its zip file holds no notebook",
        "dan": "a zip file inside a zip file",
        "eve": "its zip file holds no notebook",
    }
    assert imported.notes == [f"bob: 2 files handed in, of which {LAB}.ipynb, counts"]


def test_one_hostile_hand_in_of_each_kind_costs_the_others_nothing(course: Course, tiny: Lab, handins: Path) -> None:
    inner = zipped({"a.ipynb": b"{}"})
    hostile = {
        "bomb": zipped({"a.ipynb": bytes(MAX_BYTES + 1)}),
        "crowd": crowded(40_000),
        "damaged": inner[:-30],
        "device": with_mode("a.ipynb", stat.S_IFBLK | 0o666),
        "encrypted": patched(inner, 8, b"\x01", 6),
        "large": bytes(MAX_BYTES + 1),
        "link": with_mode("a.ipynb", stat.S_IFLNK | 0o777),
        "polyglot": b"PK\x03\x04" + bytes(60) + inner,
        "sharing": sharing(["a.ipynb", "b.ipynb"], b"{}" * 1000),
    }
    files = {f"{name}_{number}_{number}_x.ipynb": content for number, (name, content) in enumerate(hostile.items())}
    archive = zipped(files | {"../evil_7_7_x.ipynb": b"{}", "good_99_99_x.ipynb": b"good"})
    imported = import_hand_ins(course, tiny, _zip(handins / "canvas.zip", archive))
    assert _submitted(course, tiny) == {"good-99": b"good"}
    assert {student.partition("-")[0]: reason for student, reason in imported.refused.items()} == {
        "bomb": "larger than 20 MB",
        "crowd": "not a readable zip file: it lists too many files",
        "damaged": "not a readable zip file",
        "device": "not a regular file",
        "encrypted": "encrypted in its zip file",
        "large": "larger than 20 MB",
        "link": "not a regular file",
        "polyglot": "not a plain zip file: something stands before its first member",
        "sharing": "damaged in its zip file",
    }
    assert imported.notes == ["../evil_7_7_x.ipynb: its path leads out of the zip file"]


def test_a_flood_of_paths_out_of_the_zip_is_summed_up(course: Course, tiny: Lab, handins: Path) -> None:
    files = {f"../{number}": "" for number in range(100)} | {"alice.ipynb": "{}"}
    notes = import_hand_ins(course, tiny, _zip(handins / "class.zip", zipped(files))).notes
    assert len(notes) == 21
    assert notes[-1] == "and 80 more like it"


def test_a_notebook_with_a_zip_at_its_end_stays_a_notebook(course: Course, tiny: Lab, handins: Path) -> None:
    content = b'{"cells": []}' + zipped({"a.ipynb": "other"})
    (handins / "alice.ipynb").write_bytes(content)
    import_hand_ins(course, tiny, handins)
    assert _submitted(course, tiny) == {"alice": content}


def test_students_whose_names_differ_only_in_what_ids_lack_do_not_collide(
    course: Course, tiny: Lab, handins: Path
) -> None:
    names = ["Bob", "bob", "Böb", "B\u202eob", "- Bob"]
    files = {f"{name}.ipynb": name for name in names}
    imported = import_hand_ins(course, tiny, _zip(handins / "class.zip", zipped(files)))
    submitted = _submitted(course, tiny)
    assert sorted(content.decode() for content in submitted.values()) == sorted(names)
    assert len({student.casefold() for student in submitted}) == len(names)
    assert imported.taken == [student for student in imported.taken if STUDENT_ID.fullmatch(student)]


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_importing_the_same_again_changes_nothing(course: Course, tiny: Lab, handins: Path) -> None:
    files = {f"Jane Doe_{number}_assignsubmission_file_x.ipynb": str(number) for number in range(12)}
    archive = _zip(handins / "moodle.zip", zipped(files | {"Jo_3_assignsubmission_file_x.pdf": ""}))
    first = import_hand_ins(course, tiny, archive)
    before = _tree(course.folder)
    assert import_hand_ins(course, tiny, archive) == first
    assert _tree(course.folder) == before


def test_a_newer_import_replaces_and_keeps_nothing_stale(course: Course, tiny: Lab, handins: Path) -> None:
    (handins / "alice.ipynb").write_text("1")
    (handins / "bob.ipynb").write_text("1")
    (handins / "carol.ipynb").write_text("1")
    import_hand_ins(course, tiny, handins)
    beside = course.submitted("alice", tiny).parent
    (beside / "numpy.py").write_text("raise SystemExit")
    (beside / "more").mkdir()
    (beside / "away").symlink_to(handins)
    (handins / "alice.ipynb").write_text("2")
    (handins / "bob.ipynb").unlink()
    (handins / "bob.ipynb").symlink_to("/etc/passwd")
    (handins / "carol.ipynb").unlink()
    imported = import_hand_ins(course, tiny, handins)
    assert imported.refused == {"bob": "not a regular file"}
    assert _submitted(course, tiny) == {"alice": b"2", "carol": b"1"}
    assert list(beside.iterdir()) == [course.submitted("alice", tiny)]
    assert (handins / "alice.ipynb").read_text() == "2"
    assert read_record(course, tiny)["bob"].refused == "not a regular file"


def test_a_link_in_place_of_the_courses_own_folder_is_replaced(course: Course, tiny: Lab, handins: Path) -> None:
    (handins / "alice.ipynb").write_text("1")
    target = course.submitted("alice", tiny)
    target.parent.parent.mkdir(parents=True)
    target.parent.symlink_to(handins)
    import_hand_ins(course, tiny, handins)
    assert (handins / "alice.ipynb").read_text() == "1"
    assert not target.parent.is_symlink()


def test_a_file_for_a_student_of_the_lms_keeps_the_lms_number(course: Course, tiny: Lab, handins: Path) -> None:
    archive = _zip(handins / "canvas.zip", zipped({"doejane_LATE_7_20_lab90_tiny.ipynb": "first"}))
    import_hand_ins(course, tiny, archive)
    (handins / "doejane-7.ipynb").write_text("by mail")
    import_hand_ins(course, tiny, handins / "doejane-7.ipynb")
    entry = read_record(course, tiny)["doejane-7"]
    assert (entry.name, entry.lms, entry.lms_id, entry.late) == ("doejane", "canvas", "7", None)
    assert _submitted(course, tiny) == {"doejane-7": b"by mail"}


def test_the_record_is_plain_json_by_student(course: Course, tiny: Lab, handins: Path) -> None:
    strange = os.fsencode(handins) + b"/\xff.ipynb"
    with open(strange, "wb") as stream:
        stream.write(b"{}")
    (student,) = import_hand_ins(course, tiny, handins).taken
    assert json.loads(record_path(course, tiny).read_bytes())[student]["file"] == "\udcff.ipynb"


@pytest.mark.parametrize("content", ["", "[]", '{"a": 3}', '{"a": {"name": "x"}}', "\x00"])
def test_a_damaged_record_is_refused(course: Course, tiny: Lab, handins: Path, content: str) -> None:
    (handins / "alice.ipynb").write_text("{}")
    record_path(course, tiny).parent.mkdir(parents=True)
    record_path(course, tiny).write_text(content)
    with pytest.raises(AutograderError, match=r"lab90_tiny.json: no record of an import; remove the file"):
        import_hand_ins(course, tiny, handins)


def test_what_holds_no_hand_ins_is_refused(course: Course, tiny: Lab, handins: Path) -> None:
    with pytest.raises(IntakeError, match=r"no hand-ins; expected <student>/lab90_tiny.ipynb or <student>.ipynb"):
        import_hand_ins(course, tiny, handins)
    with pytest.raises(IntakeError, match="none: there is no such file or folder of hand-ins"):
        import_hand_ins(course, tiny, handins / "none")
    os.mkfifo(handins / "pipe")
    with pytest.raises(IntakeError, match="there is no such file or folder of hand-ins"):
        import_hand_ins(course, tiny, handins / "pipe")
    for content, reason in [(b"PK\x03\x04", "not a readable zip file"), (b"%PDF", "no hand-ins; expected")]:
        with pytest.raises(IntakeError, match=reason):
            import_hand_ins(course, tiny, _zip(handins / "class.pdf", content))


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30) | st.from_regex(
    r"(\.\./|/|C:)?[a-c]{1,2}(_LATE)?_[0-9]{1,2}(_[0-9]{1,2}_|_assignsubmission_file_?[/_])lab90_tiny(-1)?\.(ipynb|zip)",
    fullmatch=True,
)


@settings(max_examples=60, deadline=None)
@given(names=st.lists(NAMES, min_size=1, max_size=6, unique=True), notebook=st.booleans())
def test_any_names_in_a_zip_end_in_safe_places(names: list[str], notebook: bool) -> None:
    course, lab = Course(ROOT), Lab(LAB, Path(f"{LAB}.py"), ())
    with tempfile.TemporaryDirectory() as folder:
        course.folder = Path(folder) / "course"
        archive = Path(folder) / "class.zip"
        archive.write_bytes(zipped({name + ".ipynb" * notebook: name for name in names}))
        try:
            imported = import_hand_ins(course, lab, archive)
        except IntakeError:
            return
        assert set(_submitted(course, lab)) == set(imported.taken)
        everybody = [*imported.taken, *imported.refused]
        assert len({student.casefold() for student in everybody}) == len(everybody)
        assert all(STUDENT_ID.fullmatch(student) for student in everybody)
        assert all(text.isprintable() for text in [*imported.notes, *imported.refused.values()])
        assert {path.name for path in Path(folder).iterdir()} <= {"course", "class.zip"}
