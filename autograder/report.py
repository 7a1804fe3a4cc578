"""Tables that a person reads in the terminal."""

from __future__ import annotations

from autograder.reports.terminal import print_class, print_run

__all__ = ["print_class", "print_run"]
