"""A notebook open in JupyterLab in headless Chromium: run it, look at it, move what moves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Playwright, ViewportSize

from lablib.system_tools import CHROMIUM
from tests.browser.server import Server

VIEWPORT = ViewportSize(width=1280, height=1500)
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]
OPEN_SECONDS = 120
DRAW_SECONDS = 60
POLLING = 500  # milliseconds: a question costs a layout of the whole notebook, and without this is asked at every frame

CELL = ".jp-Notebook .jp-Cell"
FIGURE = ".jp-OutputArea-output.jp-RenderedPlotly"
WIDGET = ".jp-OutputArea-output.lm-Panel"
RED = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]'

# The status bar says "No Kernel" until the kernel answers; cells that are run before then are dropped.
IDLE = "() => document.querySelector('#jp-main-statusbar')?.innerText.includes('| Idle')"

# A cell that waits or runs shows [*], one that has run its number, an empty one nothing.
PROMPTS = """[...document.querySelectorAll('.jp-Notebook .jp-CodeCell')]
    .filter(cell => cell.querySelector('.cm-content').innerText.trim())
    .map(cell => cell.querySelector('.jp-InputPrompt').innerText)"""
ALL_RAN = f"() => {PROMPTS}.every(prompt => /[0-9]/.test(prompt))"
AT_REST = f"""() => {{
    const prompts = {PROMPTS};
    return prompts.some(prompt => /[0-9]/.test(prompt)) && !prompts.some(prompt => prompt.includes('*'));
}}"""
ALL_DRAWN = f"""() => {{
    const drawn = (outputs, inside) =>
        [...document.querySelectorAll(outputs)].every(output => output.querySelector(inside));
    return drawn('{FIGURE}', '.main-svg') && drawn('{WIDGET}', '.lm-Widget > *');
}}"""
SCROLLER = """cell => {
    const scrolls = box =>
        box.scrollHeight > box.clientHeight + 1 && getComputedStyle(box).overflowY !== 'visible';
    let box = cell.parentElement;
    while (box.parentElement && !scrolls(box)) box = box.parentElement;
    return box;
}"""
# What a slider may change; its own position is not part of it.
CONTENT = """output => {
    if (!output.matches('.js-plotly-plot')) return output.innerHTML;
    const {title, annotations, shapes} = output.layout;
    return JSON.stringify([output.data, title, annotations, shapes]);
}"""
TOO_WIDE = """() => [...document.querySelectorAll('.jp-OutputArea-output')]
    .filter(each => !each.matches('.jp-RenderedText') && each.scrollWidth > each.clientWidth + 1)
    .map(each => each.innerText.slice(0, 80) || each.dataset.mimeType)"""
RAIL = ".slider-rail-touch-rect"
CONTROLS = "button:enabled, input[type=range], [role=tab], [role=slider], .noUi-handle"


def chromium() -> str:
    """Return the path of an installed Chromium."""
    path = CHROMIUM.place()
    if path is None:
        raise FileNotFoundError("The browser tests need chromium on PATH: run `python -m lablib.doctor`.")
    return path


@contextmanager
def browsing(playwright: Playwright, profile: Path) -> Iterator[BrowserContext]:
    """Open a headless browser with an empty profile."""
    context = playwright.chromium.launch_persistent_context(
        profile, executable_path=chromium(), args=FLAGS, headless=True, viewport=VIEWPORT
    )
    try:
        yield context
    finally:
        context.close()


@dataclass
class Notebook:
    """One notebook in one browser page, and everything that went wrong on it."""

    server: Server
    page: Page
    page_errors: list[str] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)
    outside_requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        own = (self.server.url, self.server.url.replace("http", "ws", 1), "data:", "blob:")
        self.page.on("pageerror", lambda error: self.page_errors.append(str(error)))
        self.page.on("console", self._note_console)
        self.page.on(
            "request",
            lambda request: None if request.url.startswith(own) else self.outside_requests.append(request.url),
        )

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.console_errors.append(f"{message.text} ({message.location.get('url', '')})")

    def open(self, path: str) -> None:
        """Open the notebook at `path`, relative to the served folder, and wait for its kernel."""
        address = f"{self.server.url}/lab/tree/{path}?reset&token={self.server.token}"
        self.page.goto(address, wait_until="domcontentloaded", timeout=OPEN_SECONDS * 1000)
        self.page.wait_for_selector(CELL, timeout=OPEN_SECONDS * 1000)
        self.page.wait_for_function(IDLE, timeout=OPEN_SECONDS * 1000, polling=POLLING)

    def run_all(self, timeout: float) -> None:
        """Run every cell, for at most `timeout` seconds, and wait until its figures and widgets are drawn.

        As for a student, execution stops at the first error.
        """
        self.page.click(".lm-MenuBar-itemLabel:text-is('Run')")
        self.page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
        self.page.wait_for_function(AT_REST, timeout=timeout * 1000, polling=POLLING)
        self.page.wait_for_function(IDLE, timeout=timeout * 1000, polling=POLLING)
        self.page.wait_for_function(ALL_DRAWN, timeout=DRAW_SECONDS * 1000, polling=POLLING)

    def ran_completely(self) -> bool:
        """Whether every code cell that is not empty has run."""
        return self.page.evaluate(ALL_RAN)

    def red_outputs(self) -> list[str]:
        """Tracebacks, and whatever else cells wrote to stderr: JupyterLab shows both in red."""
        return [output.inner_text() for output in self.page.locator(RED).all()]

    def problems(self) -> list[str]:
        """What went wrong outside of cells: errors in JavaScript, and requests that left the machine."""
        return [
            *(f"page error: {error}" for error in self.page_errors),
            *(f"console error: {error}" for error in self.console_errors),
            *(f"outside request: {url}" for url in self.outside_requests),
        ]

    def too_wide(self) -> list[str]:
        """The start of each output that must be scrolled sideways; text may be."""
        return self.page.evaluate(TOO_WIDE)

    def figures(self) -> list[Locator]:
        """Outputs that are Plotly figures."""
        return self.page.locator(FIGURE).all()

    def widgets(self) -> list[Locator]:
        """Outputs that are widgets, of ipywidgets and anywidget alike."""
        return self.page.locator(WIDGET).all()

    def sliders(self) -> list[tuple[Locator, Locator]]:
        """Each slider of a figure, with its figure."""
        return [(figure, rail) for figure in self.figures() for rail in figure.locator(RAIL).all()]

    def slider_works(self, figure: Locator, rail: Locator) -> bool:
        """Whether the figure's content differs between the two ends of the slider."""
        rail.scroll_into_view_if_needed()
        size = rail.bounding_box()
        assert size, "the slider is not drawn"
        seen = set()
        for share in (0.02, 0.98):
            rail.click(position={"x": share * size["width"], "y": size["height"] / 2}, force=True)
            self.page.wait_for_timeout(500)
            seen.add(figure.evaluate(CONTENT))
        return len(seen) == 2

    def widget_works(self, widget: Locator) -> bool:
        """Whether the widget changes when one of its controls is clicked, or moved by the arrow keys."""
        before = widget.evaluate(CONTENT)
        for control in widget.locator(CONTROLS).all():
            control.scroll_into_view_if_needed()
            control.click()
            control.press("ArrowRight")
            self.page.wait_for_timeout(300)
            if widget.evaluate(CONTENT) != before:
                return True
        return False

    def use_the_dark_theme(self) -> None:
        """Choose it in the menu, for this and all later notebooks."""
        self._use_theme("Dark")

    def use_the_light_theme(self) -> None:
        """Choose it in the menu, for this and all later notebooks."""
        self._use_theme("Light")

    def _use_theme(self, name: str) -> None:
        self.page.click(".lm-MenuBar-itemLabel:text-is('Settings')")
        self.page.hover(".lm-Menu-itemLabel:text-is('Theme')")
        self.page.click(f".lm-Menu-itemLabel:text-is('JupyterLab {name}')")
        light = "true" if name == "Light" else "false"
        self.page.wait_for_function(f"document.body.dataset.jpThemeLight === '{light}'")

    def screenshots(self, folder: Path) -> list[Path]:
        """Photograph the notebook from top to bottom, one picture a viewport, into an emptied `folder`."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        panel = self.page.locator(".jp-NotebookPanel")
        scroller = self.page.locator(CELL).first.evaluate_handle(SCROLLER)
        height, step = scroller.evaluate("box => [box.scrollHeight, box.clientHeight]")
        pictures = []
        for number, top in enumerate(range(0, height, step), start=1):
            scroller.evaluate("(box, top) => { box.scrollTop = top }", top)
            self.page.wait_for_timeout(300)
            pictures.append(folder / f"{number:02}.png")
            panel.screenshot(path=pictures[-1])
        return pictures
