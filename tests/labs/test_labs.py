"""Every lab keeps the promises that a student, a marker and the autograder rely on."""

from __future__ import annotations

import re

import pytest

from autograder import bridge, dependencies, labs, variants
from autograder.master import Lab
from autograder.outcomes import Variant

from .conftest import ROOT, TEMPLATE_LAB


def test_solution_earns_all_points(notebook_lab: Lab, in_notebook) -> None:
    complaint = variants.solution_complaint(notebook_lab, in_notebook(notebook_lab.name))
    assert not complaint, complaint
    assert in_notebook(notebook_lab.name).points(notebook_lab) == notebook_lab.test_points


def test_variant_loses_exactly_its_points(notebook_variant: tuple[Lab, Variant], in_notebook) -> None:
    lab, variant = notebook_variant
    complaint = variants.complaint(variant, in_notebook(lab.name).variants[variant.name])
    assert not complaint, complaint


def test_exercise_has_two_wrong_answers(exercise: tuple) -> None:
    lab, cell = exercise
    mistakes = [wrong.mistake for wrong in lab.wrong_answers if wrong.cell == cell.id]
    assert len(mistakes) >= 2, f"{lab.path.parent}/wrong holds {len(mistakes)} wrong answers to {cell.id}; write 2"


def test_points_add_up(counted_lab: Lab) -> None:
    assert counted_lab.points == 100, f"the points of {counted_lab.name} add up to {counted_lab.points:g}, not 100"


def sections_with_tests(lab: Lab) -> list[str]:
    """Headings of second level under which a test cell stands: an exercise may have several test cells."""
    sections, heading = [], ""
    for cell in lab.cells:
        if cell.kind == "markdown":
            heading = next(iter(re.findall(r"^## (.+)$", cell.source, re.MULTILINE)[-1:]), heading)
        elif cell.role == "test" and heading not in sections:
            sections.append(heading)
    return sections


def test_number_of_exercises(counted_lab: Lab) -> None:
    sections = sections_with_tests(counted_lab)
    assert 4 <= len(sections) <= 7, f"{counted_lab.name} has {len(sections)} exercises ({sections}); a lab has 4 to 7"


def test_folder_is_named_as_its_master(lab: Lab) -> None:
    if lab is not TEMPLATE_LAB:
        assert re.fullmatch(r"lab[0-9]{2}(_[a-z0-9]+)+", lab.name), f"{lab.name} is not labNN_slug"
        assert lab.path.parent.name == lab.name


def test_tests_stand_on_setup_and_solution_alone(lab: Lab) -> None:
    borrowed = {cell.id: found for cell in lab.test_cells if (found := dependencies.borrowed_names(lab, cell))}
    assert not borrowed, f"{lab.name}: tests read names that only demonstrations or other tests bind: {borrowed}"


def test_ids_are_unique(lab: Lab) -> None:
    ids = [cell.id for cell in bridge.source_notebook(lab).cells]
    assert len(ids) == len(set(ids))


def test_release_shows_neither_solution_nor_hidden_test_nor_rubric(lab: Lab) -> None:
    released = "\n".join(cell.source for cell in bridge.release_notebook(lab).cells)
    secrets = [cell.source for cell in lab.rubric_cells]
    for cell in lab.cells:
        secrets += re.findall(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)\n[ \t]*### END", cell.source, re.DOTALL)
    assert secrets, f"{lab.name} marks no solution, hidden test or rubric"
    for secret in secrets:
        assert secret not in released, f"students of {lab.name} would see:\n{secret}"
    assert "BEGIN SOLUTION" not in released
    assert "BEGIN HIDDEN" not in released


def test_visible_tests_are_a_part_of_the_tests(lab: Lab) -> None:
    released = {cell.id: cell.source for cell in bridge.release_notebook(lab).cells}
    for cell in lab.test_cells:
        visible = [line for line in released[cell.id].splitlines() if line.strip()]
        remaining = iter(cell.source.splitlines())
        assert visible, f"{lab.name}: {cell.id} shows students no test at all"
        assert all(line in remaining for line in visible), f"{lab.name}: {cell.id} was changed on release"


def test_labs_folder_is_what_the_masters_give() -> None:
    found = labs.differences(ROOT)
    assert not found, f"run `make labs`: {'; '.join(found)}"
