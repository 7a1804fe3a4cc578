"""What every test shares: quiet threads, and one place for what tests leave behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Two cores and several workers: threads inside each process only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root folder."""
    return ROOT
