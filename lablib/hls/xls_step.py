"""One step of XLS at a time, each in a process of its own and kept, and its errors at their lines."""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lablib.hls import build
from lablib.hls.engines import XLS
from lablib.hls.source_errors import SourceError
from lablib.hls.xls_worker import FILE, MODULE

__all__ = ["SECONDS", "fault", "step"]

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


def fault(output: str) -> SourceError:
    """What XLS complains of, at the line of the student's source; at line 0 where it tells none."""
    said = next((line for line in reversed(output.splitlines()) if line.strip()), "it said nothing")
    said = re.sub(r"^[A-Z_]+: ", "", said).split("; Running pass")[0].split("; attempted:")[0]
    said = said.split(" [status_payload")[0]
    place = re.search(rf"(?:^|[ (]){re.escape(FILE)}:(\d+):(\d+)-\d+:\d+", said)
    words = re.sub(r"(?:^|\s)\S+\.x:\d+:\d+-\d+:\d+", "", said)
    words = re.sub(r"\b(?:\w*Error|\w+_ERROR): ?", "", words)
    words = re.sub(rf"(?:__{MODULE}__)?\b(\w+)_0_next\b", r"\1", words.replace(f"__{MODULE}__", ""))
    words = re.sub(r"\s+", " ", words).strip().rstrip(".@ ")
    line, column = (int(place[1]), int(place[2])) if place else (0, 0)
    return SourceError(line, f"{words}.", column)
