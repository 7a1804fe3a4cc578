"""The base of every error whose message is for the person at the terminal."""

from __future__ import annotations


class AutograderError(ValueError):
    """Something that was given cannot be used; the message says what was expected, in one sentence."""
