"""One step of XLS at a time, each in a process of its own and kept, and its errors as sentences."""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lablib.hls import build
from lablib.hls.engines import Package
from lablib.hls.xls_worker import FILE, MODULE

__all__ = ["SECONDS", "XLS", "sentence", "step"]

XLS = Package("xls", "xls-python", "compile DSLX")

SECONDS = 60.0
"""Time limit of one step; a dense layer of 16 by 8 takes half a second."""


def step(request: dict[str, Any], doing: str, seconds: float) -> Path:
    """One step of XLS in a process of its own; its folder."""
    XLS.require()
    text = json.dumps(request, sort_keys=True, default=int)
    worker = Path(__file__).with_name("xls_worker.py")

    def make(folder: Path) -> None:
        # -P: this folder has a module named xls too.
        build.run([sys.executable, "-P", worker], folder, seconds, doing, given=text)

    inputs = {"request": text, "worker": worker.read_text(), "xls": version(XLS.distribution)}
    return build.built(f"xls-{request['step']}", inputs, make)


def sentence(output: str, source: str = "") -> str:
    """XLS's words as a sentence, with the student's own line where there is one."""
    said = next((line for line in reversed(output.splitlines()) if line.strip()), "it said nothing")
    said = re.sub(r"^[A-Z_]+: ", "", said).split("; Running pass")[0].split("; attempted:")[0]
    said = said.split(" [status_payload")[0]
    place = re.search(rf"(?:^|[ (]){re.escape(FILE)}:(\d+):(\d+)-\d+:\d+", said)
    words = re.sub(r"(?:^|\s)\S+\.x:\d+:\d+-\d+:\d+", "", said)
    words = re.sub(r"\b(?:\w*Error|\w+_ERROR): ?", "", words)
    words = re.sub(rf"(?:__{MODULE}__)?\b(\w+)_0_next\b", r"\1", words.replace(f"__{MODULE}__", ""))
    words = re.sub(r"\s+", " ", words).strip().rstrip(".@ ")
    if place is None:
        return f"{words}."
    lines, number = source.splitlines(), int(place[1])
    line = f" ({lines[number - 1].strip()})" if number <= len(lines) else ""
    return f"Line {number}, column {place[2]} of the DSLX{line}: {words}."
