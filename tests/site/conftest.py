"""One build of the whole site for all tests of a file: lab00 is run, the other labs are shown without their outputs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, built strictly."""
    work = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "docs.site", "--labs", "lab00", "--out", str(work)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return work / "site"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium."""
    from playwright.sync_api import sync_playwright

    from tests.browser.notebook import browsing

    with sync_playwright() as playwright, browsing(playwright, tmp_path_factory.mktemp("profile")) as context:
        yield context
