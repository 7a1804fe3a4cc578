"""What can be known of the Dockerfile without a container engine: sources, packages, commands and users are real."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.browser.hub import guide_commands

from .cluster import ROOT

DOCKERFILE = ROOT / "Dockerfile"
DEVCONTAINER = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
ROOT_USER = "0"
BARE = ["git", "make", "openssl"]  # what an image has not that has Python alone, and `make tools-test` installs not


@dataclass
class Stage:
    """One FROM and what follows: pairs of instruction and the rest of its line."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def of(self, kind: str) -> list[str]:
        return [rest for name, rest in self.steps if name == kind]

    @property
    def commands(self) -> list[list[str]]:
        """Words of every command that is run, in order."""
        lines = [line for rest in self.of("RUN") for line in re.split(r"\s*&&\s*", rest)]
        return [shlex.split(line) for line in lines]


def _stages() -> dict[str, Stage]:
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    found: dict[str, Stage] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            base, _, stage = rest.partition(" AS ")
            found[stage] = Stage(base)
        else:
            found[list(found)[-1]].steps.append((name, rest.strip()))
    return found


STAGES = _stages()
COMMANDS = [command for stage in STAGES.values() for command in stage.commands]
SOURCES = [
    source
    for stage in STAGES.values()
    for rest in stage.of("COPY")
    for source in [word for word in rest.split() if not word.startswith("--")][:-1]
]


def _targets(command: list[str]) -> list[str]:
    """What a command asks `make` for."""
    if "make" not in command or "apt-get" in command:
        return []
    words = command[command.index("make") + 1 :]
    return words[2:] if words[0] == "-C" else words


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([Path(sys.prefix, "bin", "hadolint"), DOCKERFILE], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_base_is_one_release_of_the_locks_python() -> None:
    bases = {stage.base for stage in STAGES.values()} - STAGES.keys()
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+", bases.pop())


def test_packages_of_debian_are_those_that_a_bare_image_lacks() -> None:
    installed = [command[2:] for command in COMMANDS if command[:2] == ["apt-get", "install"]]
    packages = sorted(word for command in installed for word in command if not word.startswith("-"))
    assert packages == BARE
    assert ["make", "tools-test"] in STAGES["tools"].commands  # it installs those that lablib lists


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_copied_is_there(source: str) -> None:
    assert (ROOT / source).exists()
    assert not any(fnmatch(source, pattern) for pattern in IGNORED)


def test_the_history_is_copied_for_the_students_archive() -> None:
    assert not any(fnmatch(".git", pattern) for pattern in IGNORED)
    assert {".venv", "build", "course"} <= set(IGNORED)


def test_what_looks_for_system_tools_needs_no_more_than_is_copied(tmp_path: Path) -> None:
    for source in SOURCES:
        if (ROOT / source).is_file():
            (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, tmp_path / source)
    done = subprocess.run(
        ["make", "tools-test", f"PYTHON={sys.executable}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("target", sorted({target for command in COMMANDS for target in _targets(command)}))
def test_make_knows_the_targets(target: str) -> None:
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", sorted({command[0] for command in COMMANDS}))
def test_every_program_is_one(program: str) -> None:
    made = [".venv/bin/pip"]  # by the command before it
    assert program in made or shutil.which(program)


def test_the_hub_is_set_up_as_the_guide_says() -> None:
    """The guide's commands are tried by `tests.browser.hub`; the image has its virtual environment elsewhere."""
    guide = [shlex.split(line) for line in guide_commands()]
    other = [command for command in STAGES["hub"].commands if command not in guide]
    assert other == [["ln", "-s", "/opt/adls/.venv", "/srv/adls-labs/.venv"]]
    order = [guide.index(command) for command in STAGES["hub"].commands if command in guide]
    assert order == sorted(order)
    (command,) = STAGES["hub"].of("CMD")
    assert json.loads(command)[:2] == ["make", "hub"]


def test_nothing_runs_as_root_but_the_hub() -> None:
    users = {name: (STAGES["tools"].of("USER") + stage.of("USER"))[-1] for name, stage in STAGES.items()}
    assert {name for name, user in users.items() if user == ROOT_USER} == {"hub"}
    made = next(command for command in STAGES["tools"].commands if command[0] == "useradd")
    assert made[made.index("--uid") + 1] == users["adls"] == users["tools"]


def test_layers_last() -> None:
    """What changes often is copied after what takes long to install."""
    steps = STAGES["tools"].steps
    lock = steps.index(("COPY", "requirements.lock ./"))
    assert all("lablib" not in rest and rest != ". ." for name, rest in steps[lock:] if name == "COPY")
    assert not any(rest.endswith(". .") for rest in STAGES["tools"].of("COPY"))


def test_the_devcontainer_is_the_same_image() -> None:
    build = DEVCONTAINER["build"]
    assert (ROOT / ".devcontainer" / build["dockerfile"]).resolve() == DOCKERFILE
    assert (ROOT / ".devcontainer" / build["context"]).resolve() == ROOT
    assert build["target"] in STAGES
    assert any(command[0] == "useradd" and DEVCONTAINER["remoteUser"] in command for command in COMMANDS)
    linked, ready = (shlex.split(each) for each in DEVCONTAINER["postCreateCommand"].split(" && "))
    assert linked[:1] == ["ln"] and ready in STAGES["adls"].commands
