"""One build of the site for all tests of a file: lab00 is run, the other labs are shown without their outputs.

With `--whole` every lab is run, in `build/` as by `make docs`, and every page is looked at.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = ("index.html", "labs/lab00_start/lab00_start.html", "benchmarks/index.html")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Pages that a test is about: a few, or all that are written by hand."""
    if "name" not in metafunc.fixturenames:
        return
    names = list(SAMPLE)
    if metafunc.config.getoption("--whole"):
        names += [f"labs/{path.name}/{path.name}.html" for path in sorted(ROOT.glob("labs/lab*"))]
        names += [path.relative_to(ROOT).with_suffix(".html").as_posix() for path in sorted(ROOT.glob("docs/*.md"))]
    metafunc.parametrize("name", list(dict.fromkeys(names)))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The folder of the site, built strictly."""
    whole = request.config.getoption("--whole")
    work = ROOT / "build" if whole else tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "docs.site", "--out", str(work), *([] if whole else ["--labs", "lab00"])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return work / "site"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium."""
    from playwright.sync_api import sync_playwright

    from tests.browser.notebook import browsing

    with sync_playwright() as playwright, browsing(playwright, tmp_path_factory.mktemp("profile")) as context:
        yield context
