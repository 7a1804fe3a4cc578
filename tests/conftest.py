"""What every test shares: quiet threads, and one place for what tests leave behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

# Two cores and several workers: threads inside each process only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
LONG = {"test_benchmarks.py", "test_guide.py", "test_random.py", "test_site.py"}  # minutes in one unit of work


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of this repository's tests."""
    parser.addoption("--pictures", action="store_true", help="photograph every lab in JupyterLab, light and dark")
    parser.addoption(
        "--whole",
        action="store_true",
        help="try every wrong answer, open every lab in JupyterLab, look at every page of the site",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker ends alone."""
    items.sort(key=lambda item: (item.path.parent.name != "browser", item.path.name not in LONG))


def unit_of_work(nodeid: str) -> str:
    """What one worker takes: a whole file, whose fixtures are dear, or one lab of a file that tests every lab."""
    file, _, name = nodeid.partition("::")
    return file + (name.partition("[")[2][:5] if file.startswith("tests/labs/") else "")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deal units of work to the workers, in order."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of_work(nodeid)

    return Scheduling(config, log)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root folder."""
    return ROOT
