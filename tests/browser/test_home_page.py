"""The home page in JupyterLab, as `make lab` opens it: table, picture, and links that open notebooks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from lablib import home
from tests.browser.notebook import CELL, OPEN_SECONDS, Notebook
from tests.browser.server import serving

LABS = Path(__file__).resolve().parents[2] / "labs"
MARKDOWN = ".jp-RenderedMarkdown"

pytestmark = pytest.mark.browser


def test_the_labs_open_at_the_home_page(browser: BrowserContext, tmp_path: Path) -> None:
    (tmp_path / "labs").mkdir()
    shutil.copy(LABS / "course.json", tmp_path / "labs")
    shutil.copytree(LABS / "lab00_start", tmp_path / "labs" / "lab00_start")
    home.write(tmp_path / "labs")
    with serving(tmp_path) as server:
        page = browser.new_page()
        notebook = Notebook(server, page)
        page.goto(f"{server.url}/?token={server.token}", timeout=OPEN_SECONDS * 1000)
        page.wait_for_selector(f"{MARKDOWN} table", timeout=OPEN_SECONDS * 1000)
        page.wait_for_selector(".jp-RenderedMermaid img", timeout=OPEN_SECONDS * 1000)
        assert page.locator(f"{MARKDOWN} h2").all_inner_texts() == [
            "Your labs",
            "What depends on what",
            "Which lab has which topic",
        ]
        page.locator(f"{MARKDOWN} a", has_text="00 · ").click()
        page.wait_for_selector(CELL, timeout=OPEN_SECONDS * 1000)
        assert notebook.problems() == []
        page.close()
        server.end_sessions()
