"""What runs inside rewritten test cells: it notes the assertions that fail, and lets the cell go on."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from autograder.outcomes import Outcome


@dataclass(frozen=True)
class Catch:
    """How a test cell met one answer.

    Attributes
    ----------
    lines : frozenset of int
        Of the assertions that failed.
    ended : str
        What ended the cell before its end, if something did that no assertion stands for.
    """

    lines: frozenset[int] = frozenset()
    ended: str = ""

    def __str__(self) -> str:
        lines = ", ".join(map(str, sorted(self.lines)))
        failed = f"fails line{'s' if len(self.lines) > 1 else ''} {lines}" if lines else ""
        return ", and ".join(filter(None, [failed, self.ended]))


class Recorder:
    """Notes by line which assertions of a cell fail."""

    def __init__(self) -> None:
        self._failed: set[int] = set()

    @contextmanager
    def cell(self) -> Iterator[None]:
        """Around the cell: at its end, fail with what was noted."""
        self._failed.clear()
        ended = ""
        try:
            yield
        except BaseException as error:  # a student's sys.exit() ends the cell, too
            ended = f"{type(error).__name__}: {error}"[:200]
        if self._failed or ended:
            raise AssertionError(json.dumps({"lines": sorted(self._failed), "ended": ended}))

    @contextmanager
    def assertion(self, line: int) -> Iterator[None]:
        """Around a statement that only asserts: it may fail in any way."""
        try:
            yield
        except Exception:
            self._failed.add(line)

    def unchecked(self, line: int, check: Callable[..., Any]) -> Callable[..., Any]:
        """A check whose value is needed: when it fails, it still gives what the function under check returned."""

        def call(*args: Any, **kwargs: Any) -> Any:
            watch = _Watch(args[0]) if next(iter(inspect.signature(check).parameters)) == "function" else None
            try:
                return check(*args, **kwargs) if watch is None else check(watch.function, *args[1:], **kwargs)
            except Exception:
                if watch is not None and watch.raised:
                    raise  # without the check the cell would end here, too
                self._failed.add(line)
                return watch.value if watch is not None else None

        return call


class _Watch:
    """Keeps what a function returned last, and whether it raised."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.value: Any = None
        self.raised = False

        @functools.wraps(function, updated=())
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.raised = True
            self.value = function(*args, **kwargs)
            self.raised = False
            return self.value

        self.function = watched


def catch_of(outcome: Outcome) -> Catch:
    """What a rewritten cell's outcome says."""
    if outcome.passed:
        return Catch()
    try:
        plain = json.loads(outcome.message.removeprefix("AssertionError: "))
        return Catch(frozenset(plain["lines"]), plain["ended"])
    except (ValueError, KeyError, TypeError):
        return Catch(ended=outcome.message)
