"""How a group of ranks fails: each failure is a sentence that names the rank."""

from __future__ import annotations

__all__ = ["RankFailed"]


class RankFailed(RuntimeError):
    """A rank raised, died, or waited for what never came; the message says which and where."""
