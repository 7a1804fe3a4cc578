"""Run tools in folders that are named after what goes in, so that nothing is built twice.

A tool runs in a process group of its own: its time limit and the notebook's stop button end all that it started.
What it builds appears under its final name in one step: a build that was stopped leaves nothing that looks finished.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from lablib.hls.errors import ToolFailed, ToolTimeout

__all__ = ["built", "cache_folder", "is_built", "run"]

_PATIENCE = 2.0  # seconds before a running tool is worth a line
_MOST_OUTPUT = 200_000  # characters that are kept of what a tool says


def cache_folder() -> Path:
    """Where builds are kept: ``$XDG_CACHE_HOME/lablib/hls``, by default under ``~/.cache``."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "lablib" / "hls"


def built(kind: str, inputs: Mapping[str, str], make: Callable[[Path], None]) -> Path:
    """The folder that ``make`` fills, made once for these inputs.

    Parameters
    ----------
    kind
        Name of the step, the folder's first part: ``"verilator"``.
    inputs
        Everything that the result depends on, by name: sources, options, the tool's version.
    make
        Called with an empty folder. If it raises, nothing is kept.
    """
    final = _place(kind, inputs)
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    with _alone(final):
        if final.is_dir():
            return final
        draft = Path(tempfile.mkdtemp(prefix=f".{kind}-", dir=final.parent))
        try:
            make(draft)
            draft.chmod(0o755)
            if not final.is_dir():  # where locks do nothing, somebody else may have been faster
                os.replace(draft, final)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return final


def is_built(kind: str, inputs: Mapping[str, str]) -> bool:
    """Whether `built` has it already."""
    return _place(kind, inputs).is_dir()


def _place(kind: str, inputs: Mapping[str, str]) -> Path:
    digest = hashlib.sha256(repr((kind, sorted(inputs.items()))).encode()).hexdigest()[:32]
    return cache_folder() / f"{kind}-{digest}"


@contextmanager
def _alone(final: Path) -> Iterator[None]:
    """Wait while another process makes the same; its end, however it comes, frees the lock."""
    path = final.parent / f".{final.name}.lock"
    with path.open("w") as lock:
        with suppress(OSError), _progress("waiting for another process that builds the same"):  # NFS may have no locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def run(
    command: Sequence[str | Path],
    folder: Path,
    seconds: float,
    doing: str,
    environment: Mapping[str, str] | None = None,
    given: str | None = None,
) -> str:
    """Run a tool and return what it said.

    Parameters
    ----------
    command, folder
        The program with its arguments, and where it runs.
    seconds
        Time limit.
    doing
        What it does, for messages and progress: ``"building the simulator"``.
    environment
        Variables to add.
    given
        Text for its standard input.

    Raises
    ------
    ToolFailed
        It ended with an error; ``output`` has its words.
    ToolTimeout
        It took longer than its limit.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said, _progress(doing):
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE if given is not None else subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        try:
            process.communicate(given, timeout=seconds)
            timed_out = False
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            _end(process)
        said.seek(0)
        output = said.read(_MOST_OUTPUT)
    if timed_out:
        raise ToolTimeout(f"{_capital(doing)} took more than {seconds:g} s and was stopped.", output)
    if process.returncode:
        raise ToolFailed(f"{_capital(doing)} failed: {_last_line(output)}", output)
    return output


def _end(process: subprocess.Popen[str]) -> None:
    """Kill what is left of the group; the group lives on while a child of the tool does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _last_line(output: str) -> str:
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "it said nothing")


def _in_notebook() -> bool:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")


@contextmanager
def _progress(doing: str) -> Iterator[None]:
    """Say every second what takes so long, on one line that goes away; once where lines stay, as in a log."""
    stream = sys.stdout if _in_notebook() else sys.stderr  # a notebook shows stderr as if it were an error
    goes_away = _in_notebook() or stream.isatty()
    done, began = threading.Event(), time.monotonic()

    def tell() -> None:
        shown = False
        while not done.wait(_PATIENCE if not shown else 1.0):
            if goes_away or not shown:
                start, end = ("\r", "") if goes_away else ("", "\n")
                print(f"{start}{doing}: {time.monotonic() - began:.0f} s ", end=end, file=stream, flush=True)
            shown = True
        if shown and goes_away:
            print("\r" + " " * (len(doing) + 12) + "\r", end="", file=stream, flush=True)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
