"""A judge elsewhere: where no sandbox can start, hand-ins are judged by one that can, or by none at all."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from autograder import bridge, demo, handin, master, preprocessor
from autograder.preprocessor import Judge
from tests.autograder.conftest import write_lab
from tests.browser.server import free_port

from . import pod
from .cluster import PATIENCE, ROOT
from .manifest import Object, spec

pytestmark = pytest.mark.slow

ANSWERS = {"double": "def double(x):\n    return 2 * x", "area": "def area(radius):\n    return radius"}
FOUND = "test_double: passed\ntest_area: failed"


@dataclass
class Service:
    """A judge that was started at `root`: its process, its folder and how to ask it."""

    root: Path
    folder: Path
    address: str
    process: subprocess.Popen[bytes]

    @property
    def environment(self) -> dict[str, str]:
        return {"ADLS_DASK": self.address, "DASK_CONFIG": str(self.folder / "client.yaml")}

    def freeze(self, how: signal.Signals) -> None:
        for one in psutil.Process(self.process.pid).children(recursive=True):
            one.send_signal(how)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the tiny lab and one hand-in, `hand-in.ipynb`: one answer is right, the other wrong."""
    root = tmp_path_factory.mktemp("repository")
    write_lab(root)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    text = bridge.to_text(demo.answered(master.find(root, "lab90"), ANSWERS))
    (root / "hand-in.ipynb").write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def service(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The script as it stands."""
    folder, port = tmp_path_factory.mktemp("judge"), free_port()
    given = {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "PORT": str(port), "WORKERS": "1"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [str(ROOT / "docs" / "deploy" / "judge.sh"), str(folder)],
            cwd=root, env=os.environ | given, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    deadline = time.monotonic() + PATIENCE
    while not (folder / "client.yaml").exists():
        assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.1)
    yield Service(root, folder, f"tls://127.0.0.1:{port}", process)
    process.terminate()
    assert process.wait(PATIENCE) == 143, (folder / "log").read_text()


@pytest.fixture
def container() -> Object:
    """A container as Docker has it: no user namespaces, so no sandbox."""
    ordinary = copy.deepcopy(spec("worker"))
    ordinary["containers"][0]["securityContext"]["seccompProfile"]["type"] = "RuntimeDefault"
    return ordinary


@pytest.fixture(autouse=True)
def nothing_is_judged(root: Path) -> None:
    shutil.rmtree(root / "course", ignore_errors=True)


def _judge(root: Path, container: Object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "autograder", "judge", "lab90", "hand-in.ipynb"]
    return pod.run(command, container, root, PATIENCE, **environment)


def test_a_container_without_a_sandbox_has_a_judge(service: Service, root: Path, container: Object) -> None:
    alone = _judge(root, container)
    assert alone.returncode == 2
    assert "hand-ins are graded in bubblewrap, but it does not work here" in alone.stderr
    done = _judge(root, container, **service.environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(FOUND)


def test_the_key_is_its_owners_alone(service: Service) -> None:
    assert service.folder.stat().st_mode & 0o077 == 0


def test_who_has_no_key_is_not_answered(service: Service, root: Path, container: Object) -> None:
    done = _judge(root, container, ADLS_DASK=service.address)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"autograder: {service.address} answers only who has its key: set DASK_CONFIG to")


def test_a_judge_with_another_key_is_not_asked(service: Service, root: Path, container: Object, tmp_path: Path) -> None:
    pair = [str(tmp_path / name) for name in ("cert.pem", "key.pem")]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=judge", "-out", pair[0]]
    subprocess.run([*make, "-keyout", pair[1]], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    refusals: list[str] = []

    def pretend(listening: socket.socket) -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            with plain:
                try:
                    context.wrap_socket(plain, server_side=True).close()
                except ssl.SSLError as error:
                    refusals.append(str(error))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=pretend, args=(listening,), daemon=True).start()
        address = f"tls://127.0.0.1:{listening.getsockname()[1]}"
        done = _judge(root, container, **service.environment | {"ADLS_DASK": address})
        listening.shutdown(socket.SHUT_RDWR)
    assert done.returncode == 2
    assert f"no Dask scheduler answers at {address}" in done.stderr
    assert any("unknown ca" in reason for reason in refusals)


def _step(root: Path, monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """What nbgrader's step writes on top of the hand-in, whose judge is elsewhere."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    lab = master.find(root, "lab90")
    notebook = handin.rebuild(bridge.release_notebook(lab), handin.read(root / "hand-in.ipynb"))
    step = Judge(root=str(root), sandbox="bubblewrap", dask=environment["ADLS_DASK"])
    notebook, _ = step.preprocess(notebook, {"nbgrader": {"assignment": lab.name, "student": "ann"}})
    return notebook.cells[0].source


def test_a_judge_that_is_away_is_a_sentence(service: Service, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"tls://127.0.0.1:{free_port()}"
    said = _step(root, monkeypatch, **service.environment | {"ADLS_DASK": address})
    assert f"- not judged: no Dask scheduler answers at {address}" in said


def test_a_judge_that_does_not_answer_is_a_sentence(
    service: Service, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocessor, "MOST_SECONDS", 5)
    service.freeze(signal.SIGSTOP)
    try:
        said = _step(root, monkeypatch, **service.environment)
    finally:
        service.freeze(signal.SIGCONT)
    assert "- not judged: the judge did not answer within 5 s" in said


def test_it_ends_with_a_sentence_where_it_cannot_start(tmp_path: Path) -> None:
    script = str(ROOT / "docs" / "deploy" / "judge.sh")
    done = subprocess.run([script, "folder"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("judge.sh: expected one folder, and the root of a repository")
