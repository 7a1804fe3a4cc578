"""Where hand-ins run: a warm Python that sees little and, forked from it, processes that may do little.

`autograder.inside` is the side of the grader that runs there.
"""

from __future__ import annotations

from autograder.sandbox.kinds import KINDS, SandboxError, refusal, require
from autograder.sandbox.start import start

__all__ = ["KINDS", "SandboxError", "refusal", "require", "start"]
