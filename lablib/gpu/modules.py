"""Load a kernel from the text that `lablib.gpu.source.kernel_module` makes."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = ["load_kernel"]


def load_kernel(text: str, name: str) -> Any:
    """Import ``text`` as a module of its own and return its kernel ``name``.

    The text is written to a file first: Triton reads the source of what it compiles or interprets.
    """
    return getattr(_module(text, os.getpid()), name)


@lru_cache(maxsize=256)
def _module(text: str, process: int) -> Any:
    stem = "kernel_" + hashlib.sha256(text.encode()).hexdigest()[:16]
    path = Path(_folder(process).name) / f"{stem}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(stem, path)
    assert spec is not None and spec.loader is not None  # a .py file always has a loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@lru_cache(maxsize=1)
def _folder(process: int) -> tempfile.TemporaryDirectory[str]:
    """A folder of this process: a fork may not see its parent's, or outlive it."""
    return tempfile.TemporaryDirectory(prefix="lablib-kernels-")
