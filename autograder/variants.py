"""Answers that must not earn full marks: blank notebooks, stubs and an author's wrong answers."""

from __future__ import annotations

from autograder.bridge import stubs
from autograder.master import Lab
from autograder.outcomes import NOT_REACHED, Outcomes, Report, Variant

BLANK, STUB, WRONG = "blank", "stub", "wrong"


def all_variants(lab: Lab) -> list[Variant]:
    """The blank notebook, each solution cell's stub, and each wrong answer."""
    blank = stubs(lab)
    found = [Variant(BLANK, BLANK, blank)] if blank else []
    found += [Variant(f"{cell}__stub", STUB, {cell: source}) for cell, source in blank.items()]
    found += [
        Variant(f"{wrong.cell}__{wrong.mistake}", WRONG, {wrong.cell: wrong.source}) for wrong in lab.wrong_answers
    ]
    return found


def sample(lab: Lab, one_in: int) -> list[Variant]:
    """Of each cell's wrong answers one in so many, at least the first; the blank notebook and the stubs always."""
    taken: list[Variant] = []
    seen: dict[frozenset[str], int] = {}
    for variant in all_variants(lab):
        number = seen.get(cells := frozenset(variant.replacements), 0)
        if variant.kind != WRONG or number % one_in == 0:
            taken.append(variant)
        seen[cells] = number + (variant.kind == WRONG)
    return taken


def complaints(lab: Lab, report: Report) -> list[str]:
    """Everything that is wrong with a lab's solution and variants, one sentence each."""
    found = [solution_complaint(lab, report)]
    found += [complaint(variant, report.variants[variant.name]) for variant in all_variants(lab)]
    return [sentence for sentence in found if sentence]


def solution_complaint(lab: Lab, report: Report) -> str:
    """Say which cells of the solution fail, or nothing."""
    failed = [f"{cell}: {message}" for cell, message in report.cell_errors.items()]
    failed += [f"{test}: {outcome.message}" for test, outcome in report.solution.items() if not outcome.passed]
    return f"the solution of {lab.name} must pass every test, but {'; '.join(failed)}" if failed else ""


def complaint(variant: Variant, outcomes: Outcomes) -> str:
    """Say how a variant's outcome differs from what its kind must give, or nothing."""
    lost = {test for test, outcome in outcomes.items() if not outcome.passed}
    if variant.kind == BLANK:
        kept = sorted(outcomes.keys() - lost)
        return f"a blank notebook must earn 0 points, but passes {', '.join(kept)}" if kept else ""
    (cell,) = variant.replacements
    if variant.kind == STUB:
        return _stub_complaint(variant, outcomes)
    if lost != {f"test_{cell}"}:
        loses = ", ".join(sorted(lost)) or "nothing"
        return f"{variant.name} must lose test_{cell} and no other, but it loses {loses}"
    if outcomes[f"test_{cell}"].status == NOT_REACHED:
        return f"{variant.name} must fail an assertion of test_{cell}, but {outcomes[f'test_{cell}'].message}"
    return ""


def _stub_complaint(variant: Variant, outcomes: Outcomes) -> str:
    (cell,) = variant.replacements
    if outcomes[f"test_{cell}"].passed:
        return f"the stub of {cell} must fail test_{cell}, but passes it"
    other = [
        f"{test}: {outcome.message}"
        for test, outcome in outcomes.items()
        if not outcome.passed and "NotImplementedError" not in outcome.errors
    ]
    return f"the stub of {cell} must fail with NotImplementedError only, but {'; '.join(other)}" if other else ""
