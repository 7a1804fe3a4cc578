"""The instructor's page on a lab: one HTML file that needs nothing else.

The template escapes every text. A content security policy allows exactly the page's own scripts, by
their hashes, so that text which slipped through would still run nothing, and forbids every request.
"""

from __future__ import annotations

import base64
import hashlib
import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from autograder.master import Lab
from autograder.reports import failures, figures, item_analysis, text
from autograder.reports.item_analysis import Item
from autograder.reports.people import Person
from autograder.reports.rows import format_points
from autograder.reports.similarity import Similarity
from autograder.results import StudentResult
from autograder.verdict import Verdict
from lablib.viz import style

MOST_PAIRS = 50  # shown of the most similar ones
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class ClassReport:
    """What the page shows.

    Attributes
    ----------
    lab : Lab
    students : list of StudentResult
    verdicts : dict of str to Verdict
        By student; a hand-in that was not judged has none.
    similarity : Similarity
    people : dict of str to Person
    feedback : dict of str to str
        Path of a student's feedback, relative to the page.
    """

    lab: Lab
    students: list[StudentResult]
    verdicts: Mapping[str, Verdict]
    similarity: Similarity = field(default_factory=Similarity)
    people: Mapping[str, Person] = field(default_factory=dict)
    feedback: Mapping[str, str] = field(default_factory=dict)


def render(report: ClassReport) -> str:
    """Write the page.

    Returns
    -------
    str
        HTML, the same for the same report.
    """
    judged = [one for one in report.students if one.student in report.verdicts]
    items = item_analysis.analyse(report.lab, report.students, report.verdicts)
    most = report.lab.points or 1.0
    charts = {}
    if judged:
        charts["distribution"] = figures.distribution([min(1.0, one.total / most) for one in judged])
        charts["exercises"] = figures.exercises(items, len(judged))
    scripts = [get_plotlyjs(), (_HERE / "page.js").read_text(encoding="utf-8")]
    return _template().render(
        report=report,
        lab=report.lab,
        items=items,
        summary=_summary(report, judged, items),
        hand_ins=_hand_ins(report),
        messages=failures.common_messages(report.verdicts, [failures.WRONG]),
        stopped=failures.common_messages(report.verdicts, failures.STOPPED),
        not_graded=failures.not_graded(report.students, report.verdicts),
        pairs=report.similarity.pairs[:MOST_PAIRS],
        charts=_as_json(charts),
        css=Markup(_css()),
        scripts=[Markup(script) for script in scripts],
        policy=_policy(scripts),
    )


def _template() -> Any:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["points"] = format_points
    environment.filters["visible"] = text.visible
    environment.filters["one_line"] = text.one_line
    environment.filters["url"] = quote
    environment.globals["observations"] = item_analysis.observations
    return environment.from_string((_HERE / "page.html").read_text(encoding="utf-8"))


def _css() -> str:
    colours = ("BLUE", "VERMILION", "PURPLE", "AMBER", "INK", "MUTED", "GRIP", "RULE", "FAINT", "CARD", "PALE_BLUE")
    colours += ("PALE_GREEN", "PALE_VERMILION", "FONT", "MONOSPACE")
    variables = "".join(f"--{name.lower().replace('_', '-')}: {getattr(style, name)};" for name in colours)
    return f":root {{ {variables} }}\n" + (_HERE / "page.css").read_text(encoding="utf-8")


def _as_json(charts: Mapping[str, Any]) -> Markup:
    """Charts as JSON inside a script element, which no text in it can close."""
    plain = {name: json.loads(figure.to_json()) for name, figure in charts.items()}
    return Markup(json.dumps(plain, sort_keys=True).replace("<", "\\u003c"))


def _policy(scripts: list[str]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'"


def _summary(report: ClassReport, judged: list[StudentResult], items: list[Item]) -> list[tuple[str, str, str]]:
    """Number, what it counts, and a remark, for the head of the page."""
    totals = [one.total for one in judged]
    waiting = sum(None in one.scores.values() for one in judged)
    stopped = sum(
        any(failures.kind(outcome) in failures.STOPPED for outcome in report.verdicts[one.student].outcomes.values())
        for one in judged
    )
    found = [(str(len(report.students)), "hand-ins", f"{len(report.students) - len(judged)} not graded")]
    if totals:
        most = f"of {report.lab.points:g} points"
        found.append((format_points(statistics.median(totals)), "median", most))
        found.append((format_points(statistics.fmean(totals)), "mean", most))
        marked = {one.cell.id: one.facility for one in items if one.facility is not None}
        found += [
            (f"{marked[cell]:.0%}", "hardest exercise", cell) for cell in sorted(marked, key=marked.__getitem__)[:1]
        ]
    found.append((str(waiting), "to be marked", "an explanation is unmarked"))
    found.append((str(stopped), "stopped", "a limit or a crash ended a test"))
    return found


def _hand_ins(report: ClassReport) -> list[tuple[StudentResult, list[str]]]:
    """Every hand-in with its remarks and the judge's, the highest total first."""
    found = []
    for one in sorted(report.students, key=lambda one: (-one.total, one.student)):
        judge = report.verdicts[one.student].remarks if one.student in report.verdicts else []
        late = [f"{format_points(one.late_penalty)} points off for lateness"] if one.late_penalty else []
        found.append((one, list(dict.fromkeys([*one.remarks, *judge, *late]))))
    return found
