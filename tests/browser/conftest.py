"""One JupyterLab and one browser for all tests of a file: each takes seconds to start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, sync_playwright

from tests.browser.notebook import Notebook, browsing
from tests.browser.server import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab on an empty labs/, into which tests put notebooks."""
    root = tmp_path_factory.mktemp("served")
    (root / "labs").mkdir()
    with serving(root) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """Headless Chromium."""
    with sync_playwright() as playwright, browsing(playwright, tmp_path_factory.mktemp("profile")) as context:
        yield context


@pytest.fixture
def open_notebook(server: Server, browser: BrowserContext) -> Iterator[Callable[[Path], Notebook]]:
    """A function that opens a notebook below the served folder; its page and kernel end with the test."""
    page = browser.new_page()

    def open_at(path: Path) -> Notebook:
        notebook = Notebook(server, page)
        notebook.open(path.relative_to(server.root).as_posix())
        return notebook

    yield open_at
    page.close()
    server.end_sessions()
