"""The students' home page: where they were, what they have done, what depends on what, which lab has which topic.

`labs/course.json` comes with the labs; `labs/home.md` is made from it and from the student's own files beside it, when
JupyterLab starts and after each check. It is never in git, so that no update meets it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from lablib import beside

__all__ = ["PAGE", "PROGRESS", "page", "write"]

PAGE = "home.md"
PROGRESS = "progress.json"
COURSE = "course.json"
_BAR = 10  # characters

# Legible on light and on dark: a diagram that is drawn keeps its colours when the theme changes.
_COLOURS = (
    '%%{init: {"theme": "base", "themeVariables": {"lineColor": "#808080", "primaryBorderColor": "#808080", '
    '"primaryColor": "#dde8f4", "primaryTextColor": "#1a1a1a"}}}%%'
)
_LEGEND = """Points are those of visible checks whose latest run passed. Hidden checks of the same exercises count in
grading, too, and a person marks explanations: the page shows how far you are, not your mark. Close its tab and open
`labs/home.md` again to see your latest checks.
"""


def write(labs: Path) -> Path | None:
    """Write the home page into `labs`, and return its path; None where the map of the course is missing.

    Raises
    ------
    ValueError
        When the student's file of progress is broken.
    """
    if not (labs / COURSE).is_file():
        return None
    progress = beside.read(labs / PROGRESS, _are_runs, "how each check of a lab ended and when")
    text = page(json.loads((labs / COURSE).read_text(encoding="utf-8")), progress)
    draft = labs / f".{PAGE}.{os.getpid()}"
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, labs / PAGE)
    return labs / PAGE


def page(course: dict[str, Any], progress: dict[str, dict[str, Any]]) -> str:
    """The page as Markdown.

    Parameters
    ----------
    course
        What `labs/course.json` holds: labs by name, with title, needs and checks; and the syllabus, by area.
    progress
        How the latest run of each check ended, by lab and check.
    """
    labs = course["labs"]
    parts = [
        "# Advanced Deep Learning Systems: the labs\n",
        _go_on(labs, progress),
        "## Your labs\n",
        "| lab | visible checks | points | hours | needs |",
        "| --- | --- | --- | --- | --- |",
        *(_row(name, lab, progress.get(name, {})) for name, lab in labs.items()),
        "",
        _LEGEND,
        "## What depends on what\n",
        "Arrows lead from what a lab needs to the lab; ✓ marks labs whose visible checks all pass.\n",
        _picture(labs, progress),
        "## Which lab has which topic\n",
        "| topic | labs |",
        "| --- | --- |",
        *(
            f"| **{area}**: {words} | {', '.join(found)} |"
            for area, items in course["syllabus"].items()
            for words, found in items.items()
        ),
    ]
    return "\n".join(parts) + "\n"


def _are_runs(entry: Any) -> bool:
    return isinstance(entry, dict) and all(
        isinstance(run, dict) and isinstance(run.get("at"), str) for run in entry.values()
    )


def _visible(lab: dict[str, Any]) -> list[dict[str, Any]]:
    return [check for check in lab["checks"] if not check["by_hand"]]


def _passed(lab: dict[str, Any], done: dict[str, Any]) -> list[dict[str, Any]]:
    return [check for check in _visible(lab) if done.get(check["id"], {}).get("passed")]


def _go_on(labs: dict[str, Any], progress: dict[str, dict[str, Any]]) -> str:
    """The first open core check of the lab that was worked on last, or else of the first lab that has one."""
    latest = sorted(progress, key=lambda name: max((run["at"] for run in progress[name].values()), default=""))
    for name in [*reversed(latest), *labs]:
        lab = labs.get(name, {"checks": []})
        passed = [check["id"] for check in _passed(lab, progress.get(name, {}))]
        for check in _visible(lab):
            if check["plan"] == "core" and check["id"] not in passed:
                word = "Go on" if progress else "Start"
                return f"**{word}:** [{name[:5]}, {check['exercise']}]({name}/{name}.ipynb)\n"
    return "**Every core check passes.**\n"


def _row(name: str, lab: dict[str, Any], done: dict[str, Any]) -> str:
    checks, passed = _visible(lab), _passed(lab, done)
    filled = _BAR * len(passed) // max(1, len(checks))
    bar = "▰" * filled + "▱" * (_BAR - filled)
    points, most = (f"{sum(check['points'] for check in some):g}" for some in (passed, checks))
    core, stretch = (sum(c["hours"] for c in lab["checks"] if c["plan"] == plan) for plan in ("core", "stretch"))
    hours = f"{core:g}" + (f" + {stretch:g} stretch" if stretch else "")
    link = f"[{name[3:5]} · {lab['title']}]({name}/{name}.ipynb)"
    needs = ", ".join(lab["needs"]) or "nothing"
    count = f"{bar} {len(passed)} of {len(checks)}".replace(" ", "&nbsp;")
    return f"| {link} | {count} | {points}&nbsp;of&nbsp;{most} | {hours} | {needs} |"


def _picture(labs: dict[str, Any], progress: dict[str, dict[str, Any]]) -> str:
    """A diagram that JupyterLab draws itself; the table above says the same in words."""
    lines = ["```mermaid", _COLOURS, "graph LR"]
    for name, lab in labs.items():
        done = len(_passed(lab, progress.get(name, {}))) == len(_visible(lab))
        words = " ".join(name.split("_")[1:])
        lines.append(f'  {name[:5]}["{name[3:5]} {words}{" ✓" if done else ""}"]')
        lines += [f"  {other} --> {name[:5]}" for other in lab["needs"]]
    return "\n".join([*lines, "```"]) + "\n"
