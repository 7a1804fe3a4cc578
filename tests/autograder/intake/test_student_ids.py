"""Student ids: safe names, one for each student, the same at every import."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autograder.intake.layouts import Owner
from autograder.intake.student_ids import STUDENT_ID, assign, student_id

JANE_1, JANE_2 = Owner("Jane Doe", "moodle", "1"), Owner("Jane Doe", "moodle", "2")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alice", "alice"),
        ("a.b-c_d@e", "a.b-c_d@e"),
        ("../../etc", "etc"),
        ("Zoë Müller", "Zoe_Muller"),
        ("-rf", "rf"),
        ("=1+2", "1_2"),
        ("a.", "a"),
        ("alice\n\u202egpj", "alice_gpj"),
        ("a" * 300, "a" * 60),
    ],
)
def test_student_ids_are_safe_names(name: str, expected: str) -> None:
    assert student_id(name) == expected


@pytest.mark.parametrize("name", ["..", "*", "", "王伟", "\udcff", "\0"])
def test_a_name_without_latin_letters_or_digits_gets_a_lasting_id_of_its_own(name: str) -> None:
    assert STUDENT_ID.fullmatch(student_id(name))
    assert student_id(name).startswith("student-")
    assert student_id(name) == student_id(name) != student_id(name + "伟")


@given(st.text(st.characters()))
def test_any_name_gives_a_valid_id(name: str) -> None:
    assert STUDENT_ID.fullmatch(student_id(name))


def test_names_that_reduce_to_one_id_stay_apart() -> None:
    owners = [Owner("Zoë"), Owner("Zoé"), Owner("zoe"), Owner("Zoe")]
    assert assign(owners, {}) == ["Zoe", "Zoe-2", "zoe-3", "Zoe-4"]


def test_namesakes_are_told_apart_by_the_lms_number() -> None:
    assert assign([JANE_1, JANE_2], {}) == ["Jane_Doe-1", "Jane_Doe-2"]


def test_a_student_keeps_the_id_of_an_earlier_import() -> None:
    recorded = {"Jane_Doe": JANE_1}
    assert assign([JANE_2, JANE_1], recorded) == ["Jane_Doe-2", "Jane_Doe"]
    assert assign([Owner("Jane Roe", "moodle", "1")], recorded) == ["Jane_Doe"]


def test_canvas_students_have_the_same_id_in_every_lab_and_gradescopes_their_student_number() -> None:
    owners = [Owner("doejane", "canvas", "12"), Owner("", "canvas", "anon_ab1Cd"), Owner("Jane", "gradescope", "0123")]
    assert assign(owners, {}) == ["doejane-12", "anon_ab1Cd", "0123"]


def test_a_file_named_for_a_student_of_the_lms_is_that_students() -> None:
    assert assign([Owner("Jane_Doe"), Owner("Jane Doe")], {"Jane_Doe": JANE_1}) == ["Jane_Doe", "Jane_Doe-2"]


def test_a_file_named_for_a_student_who_hands_in_too_is_somebody_elses() -> None:
    assert assign([Owner("Jane_Doe"), JANE_1], {"Jane_Doe": JANE_1}) == ["Jane_Doe-2", "Jane_Doe"]


def test_long_names_stay_apart_within_the_longest_id() -> None:
    ids = assign([Owner("a" * 100 + tail, "moodle", "9" * 50 + tail) for tail in "12"], {})
    assert len(set(ids)) == 2
    assert all(STUDENT_ID.fullmatch(student) for student in ids)


OWNERS = st.builds(
    Owner, st.text("aAä-_. 1", max_size=4), st.sampled_from(["", "canvas", "moodle"]), st.text("12a", max_size=2)
)


@given(st.lists(OWNERS, max_size=8), st.lists(OWNERS, max_size=8))
@example([Owner("11", "", "1")], [Owner("11"), Owner("", "", "1")])
def test_ids_are_valid_unique_in_any_case_and_lasting(first: list[Owner], second: list[Owner]) -> None:
    ids = assign(first, {})
    recorded = dict(zip(ids, first, strict=True))
    assert assign(first, recorded) == ids or len({owner.key for owner in first}) < len(first)
    for assigned in (ids, assign(second, recorded)):
        assert len({student.casefold() for student in assigned}) == len(assigned)
        assert all(STUDENT_ID.fullmatch(student) for student in assigned)
    strangers = [owner for owner in second if owner.lms and owner.key not in {one.key for one in first}]
    assert not set(assign(strangers, recorded)) & set(ids)
