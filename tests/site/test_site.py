"""The site holds together, works offline, gives nothing away, and everybody can read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from autograder import master
from autograder.master import Lab
from docs.site import import_picture
from docs.site.answers import answer_lines, plain
from tests.site.reading import Page, broken, lines

AXE = {"resultTypes": ["violations"], "preload": False}
GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def labs(repository: Path) -> list[Lab]:
    return master.load_all(repository)


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path.resolve(): Page(path) for path in site.rglob("*.html")}


def test_every_link_leads_somewhere_and_nothing_comes_from_outside(pages: dict[Path, Page]) -> None:
    assert broken(pages) == []


def test_a_broken_link_a_missing_anchor_and_a_picture_from_outside_are_found(tmp_path: Path) -> None:
    path = (tmp_path / "page.html").resolve()
    bad = ['<a href="gone.html">', '<a href="#nowhere">', '<img src="https://cdn.example/x.png">', '<a href="http:/x">']
    path.write_text("".join(bad) + '<p id="here"><a href="#here"><img src="page.html" alt="x">', encoding="utf-8")
    page = Page(path)
    assert len(broken({path: page})) == len(bad)
    assert page.unnamed == ["https://cdn.example/x.png"]


def test_every_picture_has_a_text(pages: dict[Path, Page]) -> None:
    assert {path.name: page.unnamed for path, page in pages.items() if page.unnamed} == {}


def test_every_lab_and_every_guide_has_a_page(site: Path, labs: list[Lab], repository: Path) -> None:
    guides = {path.relative_to(repository).with_suffix(".html").as_posix() for path in repository.glob("docs/**/*.md")}
    guides -= {"docs/site/contents.html", "docs/student/README.html"}  # the site's own contents; another repository's
    expected = {f"labs/{lab.name}/{lab.name}.html" for lab in labs} | guides
    assert [name for name in sorted(expected | {"api/lablib.gpu.html"}) if not (site / name).exists()] == []


def test_no_page_has_a_line_of_a_solution_hidden_test_or_rubric(site: Path, labs: list[Lab], repository: Path) -> None:
    """A line that one lab asks for and another one gives is no secret."""
    notebooks = [json.loads(path.read_text(encoding="utf-8")) for path in repository.glob("labs/*/*.ipynb")]
    released = {plain(line) for notebook in notebooks for cell in notebook["cells"] for line in cell["source"]}
    secret = {line: lab.name for lab in labs for line in answer_lines(lab) if line not in released}
    assert len(secret) > 100 * len(labs), "too few lines are looked for"
    for path in site.rglob("*.html"):
        text = lines(path.read_text(encoding="utf-8"))
        assert {line: secret[line] for line in text if line in secret} == {}, path
        own = [line for line, lab in secret.items() if lab == path.stem]
        whole = "\n".join(text)
        assert [line for line in own if line in whole] == [], path


def test_the_picture_of_the_imports_is_what_the_sources_give() -> None:
    shown = import_picture.PICTURE.read_text(encoding="utf-8")
    assert shown == import_picture.picture(), "run `python -m docs.site.import_picture`"


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(site: Path, browser: Any, name: str, scheme: str) -> None:
    page, faults = browser.new_page(), []
    page.emulate_media(color_scheme=scheme)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto((site / name).as_uri())
    _scroll_through(page)
    found = Axe().run(page, options=AXE).response["violations"]
    page.close()
    assert [(one["id"], node["target"]) for one in found if one["impact"] in GRAVE for node in one["nodes"]] == []
    assert faults == []


@pytest.mark.browser
def test_a_figure_moves_by_the_keyboard(site: Path, browser: Any) -> None:
    page = browser.new_page()
    page.goto((site / "labs/lab00_start/lab00_start.html").as_uri())
    _scroll_through(page)
    slider = page.locator("figure.plot label input").first
    drawn = "figure => figure.querySelector('.js-plotly-plot').layout.annotations?.length + figure.innerText"
    figure = slider.locator("xpath=ancestor::figure")
    before = figure.evaluate(drawn)
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "([figure, before]) => (" + drawn + ")(figure) !== before", arg=[figure.element_handle(), before]
    )
    page.close()


def _scroll_through(page: Any) -> None:
    """Come to each figure, and wait until it is drawn."""
    for figure in page.locator("figure.plot, figure.widget").all():
        figure.scroll_into_view_if_needed()
        page.wait_for_function("figure => figure.classList.contains('drawn')", arg=figure.element_handle())
