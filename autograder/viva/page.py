"""The examiner's page. All text of a hand-in is shown as text: escaped, and without what escaping does not catch."""

from __future__ import annotations

from html import escape

from autograder.reports.text import visible
from autograder.viva.figures import FigureQuestion
from autograder.viva.questions import Question

_MOST = 2000  # characters of a message
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; padding: 0.5rem; border: 1px solid; font-size: 14px; }
mark { font-weight: bold; }
"""


def page(lab: str, student: str, content: str, questions: list[Question], figure: FigureQuestion | None) -> str:
    """HTML for one student: questions, and below each what the examiner should know."""
    parts = [_question(number, one) for number, one in enumerate(questions, start=1)]
    if figure:
        parts.append(_figure(len(questions) + 1, figure))
    title = f"{escape(lab)}: {_text(student)}"
    body = "\n".join(parts) or "<p>No answer passes a check: there is no code to ask about.</p>"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head><body>
<h1>{title}</h1>
<p>Questions from hand-in {escape(content[:12])}; another hand-in gives other ones. What stands under “For the
examiner” was found by judging the changed hand-in: ask first, compare then.</p>
{body}
</body></html>
"""


def _question(number: int, one: Question) -> str:
    found = [f"<li><code>{escape(test)}</code>: {_text(message)}</li>" for test, message in one.effects.items()]
    if found:
        told = f"<p>With the change these checks fail:</p><ul>{''.join(found)}</ul>"
    else:
        told = "<p>No check sees a difference: is it needed, and when?</p>"
    lines = visible(one.answer).split("\n")
    numbered = [
        f"<mark>{place:3} → {escape(line)}</mark>" if place == one.change.line else f"{place:3}   {escape(line)}"
        for place, line in enumerate(lines, start=1)
    ]
    return f"""<h2>Question {number}: <code>{escape(one.change.cell)}</code>, line {one.change.line}</h2>
<p>{_text(one.change.question)}</p>
<pre>{chr(10).join(numbered)}</pre>
<details><summary>For the examiner</summary>{told}</details>"""


def _figure(number: int, figure: FigureQuestion) -> str:
    cells = ", ".join(f"<code>{escape(cell)}</code>" for cell in figure.cells) or "none"
    return f"""<h2>Question {number}: a figure</h2>
<p>Your notebook shows <code>{escape(figure.name)} = {escape(figure.value)}</code>. How did you measure
it, and what would make it larger or smaller?</p>
<details><summary>For the examiner</summary><p>The value is what the hand-in shows; nobody measured it again. The lab
computes it as <code>{escape(figure.expression)}</code>, from the cells {cells}.</p></details>"""


def _text(text: str) -> str:
    return escape(visible(text, _MOST))
