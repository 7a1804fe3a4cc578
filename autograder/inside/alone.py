"""A hand-in's code may fork, and its forks may come back to us: only the process that called that code goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def alone() -> Iterator[None]:
    """At the block's end, end every process but the one that entered it."""
    process = os.getpid()
    try:
        yield
    finally:
        if os.getpid() != process:
            os._exit(0)
