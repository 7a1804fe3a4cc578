"""A memory limit for the judge itself: a test may keep whatever a hand-in sends."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def memory_limit(nbytes: int) -> Iterator[None]:
    """Raise MemoryError (torch: RuntimeError) in the block when this process would hold more data than `nbytes`."""
    before, most = resource.getrlimit(resource.RLIMIT_DATA)
    soft = nbytes if most == resource.RLIM_INFINITY else min(nbytes, most)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, most))
