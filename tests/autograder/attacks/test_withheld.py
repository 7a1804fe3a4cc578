"""Attacks on what a lab withholds: each prints what it finds of it, and finds nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder import master, sandbox
from autograder.judge.judge import TimeLimits
from autograder.judge.parent import Parent, ParentError
from autograder.judging import Courtroom
from autograder.sandbox import KINDS
from autograder.verdict import Job, Verdict
from autograder.withholding import WithholdingError

from .conftest import ROOT, solution

PATIENT = TimeLimits(cell=100.0, test=20.0, total=150.0)  # one search goes through every file
LAB = """# %% setup tags=["setup"] withhold=["lablib.models.sampling", "lablib.data.austen", "lablib/data/austen.txt"]
import torch

from lablib import check
from lablib.data import files
from lablib.models.diffusion import signal_levels

# %% back tags=["solution"]
def back(x, predicted):
    ### BEGIN SOLUTION
    image = (x - 0.5**0.5 * predicted) / 0.5**0.5
    return 0.75**0.5 * image + 0.25**0.5 * predicted
    ### END SOLUTION

# %% test_back tags=["test", "core"] points=10 hours=1
from lablib.data.austen import austen
from lablib.models.sampling import step_back

assert len(austen().test) > 0
x, predicted = check.rng.normal(1, 1, 4, 4), check.rng.normal(1, 1, 4, 4)
check.close(back(x, predicted), step_back(x, predicted, 0.5, 0.75))
"""
TOOLS = """
import contextlib
import ctypes
import gc
import glob
import importlib
import os
import re
import runpy
import sys
import types
from pathlib import Path

import lablib.models

HERE = Path(lablib.models.__file__).parent
MARK = re.compile(rb"A step with [e]ta = |Elinor could not [w]ithhold")  # a pattern that does not find itself


def show(path):
    with contextlib.suppress(OSError), open(path, "rb") as file:
        if MARK.search(file.read(2**22)):
            print("found", path)


"""
IMPORTS = {
    "an import": "from lablib.models.sampling import step_back as found",
    "the import of its parent": "from lablib.models import sampling as found",
    "importlib": "found = importlib.import_module('lablib.models.sampling')",
    "the machinery below": "found = importlib._bootstrap._gcd_import('lablib.models.sampling')",
    "a module made by hand": "found = runpy.run_module('lablib.models.sampling')",
    "reload": """
stand_in = types.ModuleType('lablib.models.sampling')
stand_in.__spec__ = importlib.machinery.ModuleSpec('lablib.models.sampling', None)
sys.modules['lablib.models.sampling'] = stand_in
found = importlib.reload(stand_in)
""",
    "no finder in the way": """
sys.meta_path[:] = [one for one in sys.meta_path if "withheld" not in type(one).__module__]
importlib.invalidate_caches()
from lablib.models.sampling import step_back as found
""",
    "the file's own loader": """
from importlib.machinery import SourceFileLoader
found = SourceFileLoader('mine', str(HERE / 'sampling.py')).load_module()
""",
    "the reader of the data": "from lablib.data.austen import austen as found",
    "the data": "found = open(HERE.parent / 'data/austen.txt').read()",
}
SEARCHES = {
    "files": """
for folder, _, names in os.walk("/"):
    library = folder.startswith((sys.prefix, sys.base_prefix, "/usr", "/lib", "/proc", "/dev"))
    for name in names:
        if not library or "lablib" in folder or "lablib" in name or name.startswith(("sampling", "austen")):
            show(os.path.join(folder, name))
""",
    "bytecode": """
for path in glob.glob(f"{HERE.parents[1]}/**/*.pyc", recursive=True) + glob.glob(f"{HERE.parent}/**/__pycache__/*sampl*", recursive=True):
    show(path)
""",
    "modules": """
for name, module in list(sys.modules.items()):
    if "sampling" in name and name.startswith("lablib") or name == "lablib.data.austen" or "step_back" in vars(module):
        print("found", name)
""",
    "objects": """
for one in gc.get_objects():
    if type(one) is types.FunctionType and one.__code__.co_filename.endswith(("models/sampling.py", "data/austen.py")):
        print("found", one)
""",
    "memory": """
with open("/proc/self/mem", "rb", 0) as memory:
    for line in open("/proc/self/maps"):
        words = line.split()
        start, end = (int(word, 16) for word in words[0].split("-"))
        for place in range(start, end, 2**22) if words[1].startswith("rw") else ():
            with contextlib.suppress(OSError, ValueError):
                memory.seek(place)
                if MARK.search(memory.read(min(2**22, end - place))):
                    print("found at", words[0])
""",
    "other processes": """
for path in glob.glob("/proc/[0-9]*/root") + glob.glob("/proc/[0-9]*/cwd"):
    show(path + str(HERE / "sampling.py"))
""",
    "mounts": """
libc = ctypes.CDLL(None, use_errno=True)
for folder in (HERE, HERE.parent, HERE.parents[1]):
    if libc.umount2(str(folder).encode(), 2) == 0:
        print("unmounted", folder)
if libc.unshare(0x10000000 | 0x20000) == 0:
    print("entered a namespace")
show(HERE / "sampling.py")
""",
}


@pytest.fixture(scope="module", params=["bubblewrap", "unshare"])
def courtroom(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Courtroom]:
    yield from _opened(tmp_path_factory.mktemp("withholding"), request.param)


@pytest.fixture(scope="module")
def unisolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Courtroom]:
    yield from _opened(tmp_path_factory.mktemp("withholding"), "none")


def _opened(folder: Path, kind: str) -> Iterator[Courtroom]:
    path = folder / "withholding.py"
    path.write_text(LAB)
    courtroom = Courtroom(master.load(path), kind, PATIENT)
    yield courtroom
    courtroom.close()


def heard(courtroom: Courtroom, back: str) -> Verdict:
    return courtroom.hear(Job(ROOT, courtroom.lab.name, {"back": back}, courtroom.sandbox))[0]


def test_the_judge_has_what_answers_have_not(courtroom: Courtroom) -> None:
    verdict = heard(courtroom, solution(courtroom.lab)["back"])
    assert verdict.outcomes["test_back"].passed, verdict


@pytest.mark.parametrize("name", IMPORTS)
def test_what_is_withheld_cannot_be_had(courtroom: Courtroom, name: str) -> None:
    verdict = heard(courtroom, f"{TOOLS}{IMPORTS[name]}\nprint('found', found)")
    said = verdict.output["back"]
    assert "found <" not in said and not verdict.outcomes["test_back"].passed
    assert said.rpartition("\n")[2].startswith(("ModuleNotFoundError", "ImportError", "FileNotFoundError")), said


@pytest.mark.parametrize("name", SEARCHES)
def test_nothing_of_it_lies_about(courtroom: Courtroom, name: str) -> None:
    verdict = heard(courtroom, TOOLS + SEARCHES[name])
    assert verdict.output == {} and verdict.remarks == []


def test_the_searches_find_what_is_there(unisolated: Courtroom) -> None:
    """A control: where files are not hidden, the search for them has something to find."""
    said = heard(unisolated, TOOLS + SEARCHES["files"].replace('os.walk("/")', "os.walk(HERE.parent)")).output["back"]
    assert "models/sampling.py" in said and "data/austen.txt" in said


def test_the_search_of_memory_finds_what_was_read(courtroom: Courtroom) -> None:
    """A control."""
    reading = "held = ''.join(['A step', ' with eta = ', '1']).encode() * 1000"
    assert "found at" in heard(courtroom, f"{TOOLS}{reading}{SEARCHES['memory']}").output["back"]


def test_the_error_is_one_clear_sentence(courtroom: Courtroom, unisolated: Courtroom) -> None:
    for one in (courtroom, unisolated):
        said = heard(one, "from lablib.models.sampling import step_back").output["back"]
        assert said.rpartition("\n")[2] == (
            "ModuleNotFoundError: lablib.models.sampling is withheld in grading, because an exercise asks for what it "
            "does; write that part yourself"
        )


def test_what_grading_itself_uses_cannot_be_withheld(tmp_path: Path) -> None:
    for kind in KINDS:
        with pytest.raises(ParentError, match=r"lablib\.check\.observe"):
            Parent(kind, tmp_path, ["lablib.check.observe"])
    with pytest.raises(WithholdingError, match=r"'lablib\.models\.gtp' is no module of lablib"):
        sandbox.start("timeit", kind=KINDS[0], fds=[], folder=tmp_path, withhold=["lablib.models.gtp"])
