"""Run a notebook and write down its outputs: the program that runs inside the sandbox.

    python run_notebook.py IN.ipynb OUT.json SECONDS

It knows nothing of grading and imports nothing of autograder. ``OUT.json`` is written anew after every cell, so that
what ran stays known when the kernel dies or time runs out: for each cell that ran to its end, by id, its outputs.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

ADDRESS_SPACE = 16 * 2**30  # torch alone maps about 8 GiB
FILE_BYTES = 256 * 2**20
PROCESSES = 512
OUTPUT_CHARACTERS = 200_000
TIMEOUT = {
    "status": "error",
    "ename": "CellTimeoutError",
    "evalue": "the cell did not finish within its time limit",
    "traceback": ["CellTimeoutError: the cell did not finish within its time limit"],
}


def limit() -> None:
    """Limit what this process and its kernel may take."""
    for kind, most in (
        (resource.RLIMIT_AS, ADDRESS_SPACE),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NPROC, PROCESSES),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def run(source: Path, target: Path, seconds: int) -> None:
    """Run the notebook at ``source``; a cell may take ``seconds``."""
    notebook = nbformat.read(source, as_version=4)
    finished: dict[str, list[Any]] = {}

    def keep(cell: Any, execute_reply: Any, **_: Any) -> None:
        content = execute_reply["content"]
        names = {output.get("ename") for output in cell.outputs}
        if content["status"] == "error" and content["ename"] not in names:  # a timeout writes no output of its own
            fields = {key: content[key] for key in ("ename", "evalue", "traceback")}
            cell.outputs.append({"output_type": "error", **fields})
        finished[cell["id"]] = [_bounded(output) for output in cell.outputs]
        partial = target.with_suffix(".part")
        partial.write_text(json.dumps(finished))
        os.replace(partial, target)

    client = NotebookClient(
        notebook,
        timeout=seconds,
        allow_errors=True,
        interrupt_on_timeout=True,
        error_on_timeout=TIMEOUT,
        kernel_name="python3",
        extra_arguments=["--InteractiveShellApp.ignore_cwd=True", "--HistoryManager.hist_file=:memory:"],
        on_cell_executed=keep,
        shutdown_kernel="immediate",
    )
    try:
        client.execute()
    except DeadKernelError:
        print("the kernel died", file=sys.stderr)


def _bounded(output: Any) -> Any:
    """An output that a page can hold: a loop of prints costs its own end, not the points of other cells."""
    if "text" in output:
        output["text"] = output["text"][:OUTPUT_CHARACTERS]
    elif len(json.dumps(output.get("data", {}))) > OUTPUT_CHARACTERS:
        output["data"] = {"text/plain": f"(an output of more than {OUTPUT_CHARACTERS} characters was left out)"}
    return output


if __name__ == "__main__":
    limit()
    run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
