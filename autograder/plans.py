"""Terms that can be taught with the labs: which exercises, in which order, in how many hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autograder.errors import AutograderError
from autograder.master import Lab
from autograder.outline import Exercise, exercises, needs, title

EVERY_CORE = ()


@dataclass(frozen=True)
class Plan:
    """One term.

    Attributes
    ----------
    name, purpose : str
    parts : dict of str to tuple of int
        Numbers of the exercises by lab, in the order of teaching; `EVERY_CORE` stands for all that have core cells.
    """

    name: str
    purpose: str
    parts: dict[str, tuple[int, ...]]


PLANS = (
    Plan(
        "Breadth",
        "Two core exercises of each lab, then the capstone.",
        {
            "lab00": EVERY_CORE, "lab01": (2, 4), "lab02": (1, 4), "lab03": (1, 2), "lab04": (2, 4), "lab05": (3, 4),
            "lab06": (2, 3), "lab07": (1, 2), "lab08": (1, 3), "lab09": (1, 3), "lab10": (1, 4), "lab11": (1, 3),
            "lab12": (2, 4), "lab13": (3, 4), "lab14": (1, 4), "lab15": (1, 2), "lab16": (1, 2), "lab17": (2, 4),
            "lab18": EVERY_CORE,
        },
    ),
    Plan(
        "Software",
        "From a framework's inside to training on thousands of ranks: compilers, kernels, compression, parallelism.",
        {
            "lab00": EVERY_CORE, "lab01": EVERY_CORE, "lab02": (3,), "lab03": (1, 2), "lab05": EVERY_CORE,
            "lab06": EVERY_CORE, "lab07": EVERY_CORE, "lab09": EVERY_CORE, "lab10": EVERY_CORE, "lab14": EVERY_CORE,
            "lab15": EVERY_CORE,
        },
    ),
    Plan(
        "Hardware",
        "From a model's cost to a circuit: compilers, kernels, compression, machines, FPGAs.",
        {
            "lab00": EVERY_CORE, "lab01": EVERY_CORE, "lab02": EVERY_CORE, "lab03": (1,), "lab05": EVERY_CORE,
            "lab06": EVERY_CORE, "lab08": EVERY_CORE, "lab09": EVERY_CORE, "lab11": EVERY_CORE, "lab12": EVERY_CORE,
        },
    ),
)  # fmt: skip

_HEAD = """# Terms that can be taught

Written by `make labs` from the hours in the masters. An exercise starts from a passing state, so that leaving some out
blocks nothing; each plan has what its labs need before them. Hours are those of core cells.
"""


def chosen(plan: Plan, lab: Lab) -> list[Exercise]:
    """The lab's exercises that the plan has: those with core cells, all or of the given numbers."""
    numbers = plan.parts[lab.name[:5]]
    core = [exercise for exercise in exercises(lab) if exercise.hours("core")]
    return [exercise for exercise in core if numbers == EVERY_CORE or exercise.number in numbers]


def hours(plan: Plan, labs: Sequence[Lab]) -> float:
    """Hours of the whole plan."""
    return sum(exercise.hours("core") for lab in _of(plan, labs) for exercise in chosen(plan, lab))


def unmet(plan: Plan, labs: Sequence[Lab]) -> list[str]:
    """A sentence for each lab that needs one which the plan does not have before it."""
    order, found = list(plan.parts), []
    for lab in _of(plan, labs):
        before = order[: order.index(lab.name[:5])]
        found += [f"{plan.name}: {lab.name} needs {other} before it" for other in needs(lab) if other not in before]
    return found


def page(labs: Sequence[Lab]) -> str:
    """All plans as Markdown.

    Raises
    ------
    AutograderError
        A plan cannot be taught in its order.
    """
    found = [sentence for plan in PLANS for sentence in unmet(plan, labs)]
    if found:
        raise AutograderError(f"{found[0]}: change the plan in autograder/plans.py, or what the lab's master needs")
    lines = [_HEAD]
    for plan in PLANS:
        lines += [f"## {plan.name}: {hours(plan, labs):g} hours\n", f"{plan.purpose}\n"]
        lines += ["| lab | exercises | hours | needs |", "| --- | --- | --- | --- |"]
        lines += [*(_row(plan, lab) for lab in _of(plan, labs)), ""]
    return "\n".join(lines[:-1]) + "\n"


def _row(plan: Plan, lab: Lab) -> str:
    parts = chosen(plan, lab)
    names = "all core" if plan.parts[lab.name[:5]] == EVERY_CORE else "; ".join(part.heading for part in parts)
    taken = sum(part.hours("core") for part in parts)
    return f"| {lab.name[:5]}: {title(lab)} | {names} | {taken:g} | {', '.join(needs(lab)) or 'nothing'} |"


def _of(plan: Plan, labs: Sequence[Lab]) -> list[Lab]:
    """The plan's labs in its order."""
    by_number = {lab.name[:5]: lab for lab in labs}
    return [by_number[number] for number in plan.parts if number in by_number]
