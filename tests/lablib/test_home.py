"""The home page says where a student is, and survives whatever lies beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lablib import home

ROOT = Path(__file__).parents[2]


def check(name: str, exercise: str, points: float, plan: str = "core", by_hand: bool = False) -> dict[str, Any]:
    return {"id": name, "exercise": exercise, "points": points, "hours": 1.5, "plan": plan, "by_hand": by_hand}


COURSE = {
    "labs": {
        "lab01_first": {
            "title": "First",
            "needs": [],
            "checks": [
                check("test_a", "1 · A", 10),
                check("test_b", "2 · B", 20),
                check("test_c", "3 · C", 5, "stretch"),
            ],
        },
        "lab02_second": {
            "title": "Second",
            "needs": ["lab01"],
            "checks": [check("test_d", "1 · D", 30), check("explain_d", "2 · Explain", 10, by_hand=True)],
        },
    },
    "syllabus": {"Models": {"diffusion models": ["lab01", "lab02"]}},
}


def shown(course: dict[str, Any], progress: dict[str, Any]) -> str:
    """The page with plain spaces."""
    return home.page(course, progress).replace("&nbsp;", " ")


def ran(day: int, passed: bool = True) -> dict[str, Any]:
    return {"passed": passed, "at": f"2026-10-{day:02}T10:00:00+00:00"}


def test_a_fresh_page_starts_at_the_first_check() -> None:
    page = shown(COURSE, {})
    assert "**Start:** [lab01, 1 · A](lab01_first/lab01_first.ipynb)" in page
    assert "| [01 · First](lab01_first/lab01_first.ipynb) | ▱▱▱▱▱▱▱▱▱▱ 0 of 3 | 0 of 35 |" in page
    assert "| 3 + 1.5 stretch | nothing |" in page
    assert "| **Models**: diffusion models | lab01, lab02 |" in page
    assert "lab01 --> lab02" in page and "✓" not in page.partition("graph LR")[2]


def test_points_are_those_of_checks_that_pass_now() -> None:
    progress = {"lab01_first": {"test_a": ran(1), "test_b": ran(2, passed=False)}}
    page = shown(COURSE, progress)
    assert "▰▰▰▱▱▱▱▱▱▱ 1 of 3 | 10 of 35 |" in page
    assert "**Go on:** [lab01, 2 · B](lab01_first/lab01_first.ipynb)" in page


def test_one_goes_on_in_the_lab_of_the_latest_run() -> None:
    progress = {"lab02_second": {"test_d": ran(3, passed=False)}, "lab01_first": {"test_a": ran(2)}}
    assert "**Go on:** [lab02, 1 · D]" in shown(COURSE, progress)
    done = {"lab02_second": {"test_d": ran(3)}, "lab01_first": {"test_a": ran(2)}}
    page = shown(COURSE, done)
    assert "**Go on:** [lab01, 2 · B]" in page
    assert '["02 second ✓"]' in page and '["01 first"]' in page


def test_explanations_are_nobodys_to_tick() -> None:
    everything = {"lab01_first": {"test_a": ran(1), "test_b": ran(1)}, "lab02_second": {"test_d": ran(1)}}
    page = shown(COURSE, everything)
    assert "**Every core check passes.**" in page
    assert "30 of 30" in page


def test_checks_and_labs_that_an_update_removed_do_no_harm() -> None:
    old = {"lab00_gone": {"test_z": ran(9)}, "lab01_first": {"test_old": ran(8)}}
    assert "**Go on:** [lab01, 1 · A]" in shown(COURSE, old)


def test_it_is_written_beside_the_labs_and_only_with_a_map(tmp_path: Path) -> None:
    assert home.write(tmp_path) is None and list(tmp_path.iterdir()) == []
    (tmp_path / "course.json").write_text(json.dumps(COURSE))
    (tmp_path / "progress.json").write_text(json.dumps({"lab01_first": {"test_a": ran(1)}}))
    assert home.write(tmp_path) == tmp_path / "home.md"
    written = (tmp_path / "home.md").read_text()
    assert "1&nbsp;of&nbsp;3" in written
    (tmp_path / "progress.json").write_text("{")
    with pytest.raises(ValueError, match="mend it, or give it another name"):
        home.write(tmp_path)
    assert (tmp_path / "home.md").read_text() == written


@pytest.mark.parametrize("runs", [True, {"test_a": True}, {"test_a": {"passed": True}}, {"test_a": {"at": 3}}])
def test_progress_of_another_form_gets_a_sentence(tmp_path: Path, runs: Any) -> None:
    (tmp_path / "course.json").write_text(json.dumps(COURSE))
    (tmp_path / "progress.json").write_text(json.dumps({"lab01_first": runs, "lab02_second": {"test_d": ran(1)}}))
    with pytest.raises(ValueError, match="is to hold how each check of a lab ended and when, and holds something else"):
        home.write(tmp_path)


def test_the_real_course_makes_a_page_whose_links_lead_somewhere() -> None:
    course = json.loads((ROOT / "labs" / "course.json").read_text())
    page = shown(course, {})
    for name, lab in course["labs"].items():
        assert f"({name}/{name}.ipynb)" in page
        cells = json.loads((ROOT / "labs" / name / f"{name}.ipynb").read_text())["cells"]
        assert {one["id"] for one in lab["checks"]} <= {cell["id"] for cell in cells}
