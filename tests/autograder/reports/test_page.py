from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from autograder.reports.page import ClassReport, render
from autograder.reports.similarity import Similarity, compare
from autograder.results import StudentResult

from .conftest import Graded
from .hostile import hostile

SCRIPTS = re.compile(r"<script>.*?</script>", re.DOTALL)


class Elements(HTMLParser):
    """Collects each element's tag and attributes, and the page's text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def _report(graded: Graded, **others) -> ClassReport:
    similarity = compare(graded.lab, graded.answers, {}, {})
    return ClassReport(graded.lab, graded.result.students, graded.verdicts, **{"similarity": similarity, **others})


def _text(html: str) -> str:
    return " ".join(Elements(SCRIPTS.sub("", html)).text.split())


def test_the_page_tells_scores_exercises_messages_and_failures(graded: Graded) -> None:
    text = _text(render(_report(graded)))
    for expected in (
        "41 hand-ins 1 not graded",
        "25% hardest exercise test_area",
        "10 to be marked",
        "10 stopped",
        "test_double core 20 0.5 40 75 %",
        "AssertionError: expected 4, got 30 10 hand-ins student30",
        "time the test took more than 120 s 10 hand-ins",
        "unread unreadable notebook: not JSON, or cut off",
        "student01 20 30 49 99",
    ):
        assert expected in text


def test_the_page_needs_nothing_else(graded: Graded) -> None:
    elements = Elements(SCRIPTS.sub("", render(_report(graded)))).found
    assert not [tag for tag, _ in elements if tag in ("link", "img", "iframe", "object", "base")]
    assert not [attrs for _, attrs in elements if "src" in attrs]


def test_the_page_is_the_same_for_the_same_class(graded: Graded) -> None:
    assert render(_report(graded)) == render(_report(graded))


def test_feedback_is_linked_where_there_is_some(graded: Graded) -> None:
    html = render(_report(graded, feedback={"student03": "../feedback/a b/<x>.html"}))
    links = [attrs["href"] for tag, attrs in Elements(SCRIPTS.sub("", html)).found if tag == "a"]
    assert [link for link in links if link and not link.startswith("#")] == ["../feedback/a%20b/%3Cx%3E.html"]


def test_lateness_is_said(graded: Graded) -> None:
    late = replace(graded.result.students[1], late_penalty=9.0)
    text = _text(render(ClassReport(graded.lab, [late], graded.verdicts)))
    assert "90 9 points off for lateness" in text


@pytest.mark.parametrize("students", [0, 1, 2])
def test_a_tiny_or_empty_class_has_a_page(graded: Graded, students: int) -> None:
    few = graded.result.students[:students]
    verdicts = {one.student: graded.verdicts[one.student] for one in few}
    text = _text(render(ClassReport(graded.lab, few, verdicts, Similarity())))
    assert f"{students} hand-ins" in text
    assert "Nothing stands out." in text


def test_a_hand_in_that_the_gradebook_does_not_hold_has_a_row(graded: Graded) -> None:
    lost = StudentResult("student00", {}, ["nbgrader failed: disk full"])
    text = _text(render(ClassReport(graded.lab, [lost], graded.verdicts)))
    assert "student00 0 nbgrader failed: disk full" in text


def test_no_text_of_a_hand_in_becomes_an_element_or_attribute(graded: Graded) -> None:
    plain = Elements(SCRIPTS.sub("", render(_report(graded))))
    bad, people = hostile(graded)
    html = render(_report(bad, people=people))
    assert len(SCRIPTS.findall(html)) == len(SCRIPTS.findall(render(_report(graded)))) == 2
    found = Elements(SCRIPTS.sub("", html))
    assert {tag for tag, _ in found.found} <= {tag for tag, _ in plain.found} | {"figure", "figcaption", "h3", "b", "i"}
    names = {name for _, attrs in found.found for name in attrs}
    assert not [name for name in names if name.startswith("on") or name in ("src", "srcdoc", "formaction")]
    assert "stolen" in found.text  # the payloads are there, as text
    assert "\x1b" not in html and "\0" not in html and "\u202e" not in html
    html.encode()


def test_charts_hold_no_text_of_a_hand_in(graded: Graded) -> None:
    bad, people = hostile(graded)
    html = render(_report(bad, people=people))
    match = re.search(r'<script type="application/json" id="charts">(.*?)</script>', html, re.DOTALL)
    assert match
    charts = json.dumps(json.loads(match[1]))
    for text in ("stolen", "evil", "student", "javascript", "\\ud800"):
        assert text not in charts


def test_only_the_pages_own_scripts_may_run(graded: Graded) -> None:
    (policy,) = [
        attrs["content"]
        for tag, attrs in Elements(SCRIPTS.sub("", render(_report(graded)))).found
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert re.fullmatch(r"'sha256-\S{44}' 'sha256-\S{44}'", rules["script-src"])
