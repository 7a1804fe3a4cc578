"""A judge whose sandbox all tests of a session share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder import bridge, master
from autograder.inside.limits import Limits
from autograder.judge.judge import TimeLimits
from autograder.judge.parent import Parent
from autograder.judging import Courtroom
from autograder.master import Lab
from autograder.verdict import Job, Verdict

HERE = Path(__file__).parent
QUICK = TimeLimits(cell=5.0, test=8.0, total=40.0)
Hear = Callable[..., Verdict]


@pytest.fixture(scope="session")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parent]:
    folder = tmp_path_factory.mktemp("empty_lab")
    folder.chmod(0o755)
    parent = Parent("bubblewrap", folder)
    yield parent
    parent.close()


@pytest.fixture
def hear(parent: Parent) -> Hear:
    """`hear(lab, answers)` judges one hand-in; answers replace those of the lab's own solution."""

    def judged(
        lab: Lab,
        answers: dict[str, str],
        tests: frozenset[str] | None = None,
        limits: Limits | None = None,
        times: TimeLimits = QUICK,
    ) -> Verdict:
        courtroom = Courtroom(lab, "bubblewrap", times=times, limits=limits or Limits())
        courtroom.adopt(parent)
        job = Job(HERE, lab.name, bridge.solution_answers(lab) | answers, "bubblewrap", "term")
        return courtroom.hear(job, tests)[0]

    return judged


@pytest.fixture(scope="session")
def protocol_lab() -> Lab:
    return master.load(HERE / "protocol_lab.py")


@pytest.fixture
def lab_of(tmp_path: Path) -> Callable[[str, str, str], Lab]:
    """`lab_of(solution, test, setup)` writes a master of one exercise and loads it."""

    def made(solution: str, test: str, setup: str = "import torch\n\nfrom lablib import check") -> Lab:
        text = "\n".join([
            '# %% setup tags=["setup"]', setup, "", '# %% answer tags=["solution"]', "### BEGIN SOLUTION", solution,
            "### END SOLUTION", "", '# %% test_answer tags=["test", "core"] points=10 hours=1', test, "",
        ])  # fmt: skip
        path = tmp_path / "one_exercise.py"
        path.write_text(text)
        return master.load(path)

    return made
