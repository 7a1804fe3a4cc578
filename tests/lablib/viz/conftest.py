"""Small launches and compilations, written out by hand: a test can say what their picture must show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest


def buffer(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int = 4, alignment: int = 0) -> Any:
    return SimpleNamespace(shape=shape, strides=strides, itemsize=itemsize, alignment=alignment)


def access(program: int, op: str, name: str, offsets: Any, line: int = 0, launch: int = 0) -> Any:
    offsets = np.asarray(offsets, np.int64).ravel()
    return SimpleNamespace(program=(program, 0, 0), op=op, buffer=name, offsets=offsets, line=line, launch=launch)


def make_trace(buffers: dict[str, Any], accesses: list[Any], programs: int, kernel: str = "kernel") -> Any:
    return SimpleNamespace(kernel=kernel, grid=(programs, 1, 1), buffers=buffers, accesses=accesses)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium."""
    from playwright.sync_api import sync_playwright

    from tests.browser.notebook import browsing

    with sync_playwright() as playwright, browsing(playwright, tmp_path_factory.mktemp("profile")) as context:
        yield context


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Callable[[Any], Any]]:
    """A function that opens a widget's own page, on which no error may happen."""
    page, faults = browser.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))

    def open_widget(widget: Any) -> Any:
        path = tmp_path / "widget.html"
        path.write_text(widget.to_html(), encoding="utf-8")
        page.goto(path.as_uri())
        return page

    yield open_widget
    page.close()
    assert faults == []


@pytest.fixture
def softmax_trace() -> Any:
    """Four programs, one a row of 16 float32: each loads its row twice (lines 3 and 5) and stores it once."""
    accesses = []
    for row in range(4):
        offsets = row * 16 + np.arange(16)
        accesses += [access(row, "load", "x", offsets, 3), access(row, "load", "x", offsets, 5)]
        accesses.append(access(row, "store", "y", offsets, 8))
    buffers = {"x": buffer((4, 16), (16, 1)), "y": buffer((4, 16), (16, 1))}
    return make_trace(buffers, accesses, 4, "softmax")


@pytest.fixture
def compiled() -> Any:
    """A kernel of three lines, compiled for sm_90: five stages, of which the SASS has four instructions."""
    sass = [
        "        .headerflags @EF_CUDA_SM90",
        '\t//## File "kernel.py", line 2',
        "        /*0000*/                   LDG.E.128 R4, desc[UR4][R2.64] ;",
        "        /*0010*/                   IMAD R0, R4, R5, RZ ;",
        '\t//## File "kernel.py", line 3',
        "        /*0020*/              @!P0 STG.E.128 desc[UR4][R2.64], R4 ;",
        "        /*0030*/                   EXIT ;",
    ]
    ttir = [
        "%0 = tt.load %p : tensor<16xf32> loc(#loc2)",
        "tt.store %q, %0 loc(#loc3)",
        '#loc2 = loc("kernel.py":2:4)',
    ]
    ptx = [
        "    .loc 1 2 4",
        "    ld.global.v4.b32 { %r1 }, [ %rd1 + 0 ];",
        "    .section .debug_abbrev",
        "    { .b8 1 }",
    ]
    return SimpleNamespace(
        kernel="copy",
        target="sm_90",
        source="def copy(p, q):\n    x = tl.load(p)\n    tl.store(q, x)\n",
        stages={"ttir": "\n".join(ttir), "ptx": "\n".join(ptx), "sass": "\n".join(sass)},
        line_map={"ttir": [2, 3, 0], "ptx": [0, 2, 0, 0], "sass": [0, 0, 2, 2, 0, 3, 0]},
        registers=32,
        spill_bytes=0,
        shared_bytes=1024,
        num_warps=4,
        instructions={"LDG": 1, "IMAD": 1, "STG": 1, "EXIT": 1},
    )
