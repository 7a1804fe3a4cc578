"""A class whose names, messages, remarks and answers all try to run a script in the instructor's browser."""

from __future__ import annotations

from dataclasses import replace

from autograder.outcomes import FAILED, NOT_REACHED, Outcome
from autograder.reports.people import Person
from autograder.results import StudentResult
from autograder.verdict import Verdict

from .conftest import Graded

MARK = "stolen"  # what a script that runs writes into the page's title
SCRIPT = f"document.title='{MARK}'"
PAYLOADS = (
    f"<script>{SCRIPT}</script>",
    f"</script><script>{SCRIPT}</script>",
    f'</pre></td></table></style><img src=x onerror="{SCRIPT}">',
    f"<svg/onload={SCRIPT}>",
    f"\"' onmouseover='{SCRIPT}' autofocus onfocus='{SCRIPT}' x='",
    f'<a href="javascript:{SCRIPT}">press</a>',
    f'<iframe srcdoc="<script>parent.{SCRIPT}</script>"></iframe>',
    "<meta http-equiv=refresh content='0;url=http://evil.example/'>",
    "<link rel=stylesheet href=http://evil.example/x.css><img src=http://evil.example/x.png>",
    f"{{{{ ''.__class__ }}}}{{% raw %}}<script>{SCRIPT}</script>",
    f"%{{customdata}}<b>x</b><a href='javascript:{SCRIPT}'>y</a>",
    "\x1b[2J\x1b]0;title\x07\u202ereversed\0\ud800",
)


def hostile(graded: Graded) -> tuple[Graded, dict[str, Person]]:
    """The class of `graded`, joined by one hand-in a payload; and what its import record says."""
    students, verdicts, answers = list(graded.result.students), dict(graded.verdicts), dict(graded.answers)
    people = {}
    for number, text in enumerate(PAYLOADS):
        failed = Outcome(FAILED, f"AssertionError: {text}", ("AssertionError", text))
        stopped = Outcome(NOT_REACHED, text)
        verdict = Verdict(graded.lab.name, {"test_double": failed, "test_area": stopped}, {"double": text}, [text])
        for student in (text, f"{text}{text}"):  # two, whose equal answers are listed
            scores = {"test_double": 0.0, "test_area": 0.0, "explain_area": None}
            students.append(StudentResult(student, scores, [text]))
            verdicts[student], people[student] = verdict, Person(text, "canvas", text, late=True)
            answers[student] = {
                "double": f"# {text}\n" * 30 + f"x{number} = 1",
                "area": text * 20,
                "explain_area": text * 20,
            }
        students.append(StudentResult(f"unread {text}", {}, [text]))
    result = replace(graded.result, students=students)
    return replace(graded, result=result, verdicts=verdicts, answers=answers), people
