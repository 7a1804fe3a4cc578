"""Attacks on the connection: answers that the server did not give, and messages that no server would send."""

from __future__ import annotations

import pytest

from autograder.inside.limits import GIB, Limits
from autograder.judge.judge import TimeLimits

from .conftest import hand_ins, in_calls

HASTY = TimeLimits(cell=10.0, test=1.5, total=60.0)
TOOLS = """
import gc
import struct
import time

import msgpack


def of_class(name):
    return next(one for one in gc.get_objects() if type(one).__name__ == name)


def body(tree, memory=()):
    return msgpack.packb({"tree": tree, "memory": list(memory)})


def framed(data):
    return struct.pack("<Q", len(data)) + data


def plain(value):
    if type(value) is dict:
        return {"dict": [[key, plain(item)] for key, item in value.items()]}
    return [plain(item) for item in value] if type(value) is list else value


def answer(value):
    result = {"value": value, "changed": [], "inout": [], "graph": None}
    return framed(body(plain({"answer": result})))
"""
RIGHT = "{3: 2, 1: 1}"

SENT = {
    # what a function sends to the judge before it returns
    "a claim of eight million terabytes": "b'\\xff' * 7 + b'\\x7f'",
    "a claim of one byte too many": "struct.pack('<Q', 256 * 2**20 + 1)",
    "a claim of nothing": "bytes(8)",
    "random bytes": "framed(bytes(range(256)))",
    "a number": "framed(body(1))",
    "a list": "framed(body([1, 2]))",
    "a message of no kind": "framed(body(plain({'verdict': 'passed'})))",
    "a message of two kinds": "framed(body(plain({'answer': 1, 'callback': 0})))",
    "an answer that is a number": "framed(body(plain({'answer': 1})))",
    "an answer without its parts": f"framed(body(plain({{'answer': {{'value': {RIGHT}}}}})))",
    "gradients of nothing": "framed(body(plain({'answer': {'value': {3: 2, 1: 1}, 'changed': [], 'inout': [], 'graph': 1,"
    " 'with_graph': [5, -9]}})))",
    "arguments that it was not to change": "framed(body(plain({'answer': {'value': {3: 2, 1: 1}, 'changed': [],"
    " 'inout': [1], 'graph': None}})))",
    "a thousand levels": "framed(b'\\x82\\xa4tree' + b'\\x91' * 1000 + b'\\x01\\xa6memory\\x90')",
    "four thousand million items": "framed(b'\\x82\\xa4tree\\xdd\\xff\\xff\\xff\\xff')",
    "three million numbers": "framed(body([0] * 3_000_000))",
    "a tensor that is larger than its memory": "framed(body({'dict': [['answer', {'tensor': ['float32', [1000], False,"
    " [1], 0, 0]}]]}, [bytes(16)]))",
    "an array of objects": "framed(body({'dict': [['answer', {'array': ['|O', [1], True, bytes(8)]}]]}))",
    "a NaN for a key": "framed(body({'dict': [['answer', {'dict': [[float('nan'), 1], [float('nan'), 2]]}]]}))",
    "a pickle": "framed(body({'reference': ['pickle', 0, b\"cos\\nsystem\\n(S'true'\\ntR.\"]}))",
    "a callback that there is not": "framed(body(plain({'callback': 99, 'args': [], 'kwargs': {}})))",
    "a callback counted from the end": "framed(body(plain({'callback': -1, 'args': [], 'kwargs': {}})))",
    "a callback with a name": "framed(body(plain({'callback': '__import__', 'args': ['os'], 'kwargs': {}})))",
    "a callback without arguments": "framed(body(plain({'callback': 0})))",
    "an error that is text": "framed(body(plain({'error': 'AssertionError'})))",
    "an error without a message": "framed(body(plain({'error': {'classes': ['ValueError'], 'line': 1}})))",
    "an error of numbers": "framed(body(plain({'error': {'classes': [1], 'message': 2, 'line': 3}})))",
    **{
        f"a {kind}": f"framed(body(plain({{'error': {{'classes': ['{kind}'], 'message': 'passed', 'line': 1}}}})))"
        for kind in (
            "AssertionError", "OutOfTime", "Ended", "SystemExit", "KeyboardInterrupt", "StopIteration", "Refused",
            "UnicodeDecodeError", "ExceptionGroup", "Warning", "NotImplementedError", "__import__",
        )
    },
}  # fmt: skip


SAID = {name: f"of_class('Server').sock.sendall({data})\nreturn {{}}" for name, data in SENT.items()}
SAYING = hand_ins(in_calls(SAID, TOOLS))


@pytest.mark.parametrize("answers", SAYING.values(), ids=SAYING)
def test_what_the_server_did_not_say_earns_nothing(bar, answers: dict[str, str]) -> None:
    assert bar.scores(answers, times=HASTY) == bar.full(*[f"test_{cell}" for cell in answers])


@pytest.mark.parametrize("data", [f"answer({RIGHT})", f"answer({RIGHT}) * 2", f"answer({RIGHT})[:20]"])
def test_a_right_answer_that_comes_too_early_is_no_answer_to_what_is_asked_later(bar, data: str) -> None:
    source = f"{TOOLS}\n\ndef tally(items):\n    of_class('Server').sock.sendall({data})\n    return {{}}"
    assert bar.scores({"tally": source}, times=HASTY) == bar.full("test_tally")


ENDED = {
    "closes its socket": "of_class('Server').sock.close()",
    "says that it will send no more": "of_class('Server').sock.shutdown(1)",
    "puts a file in its socket's place": "os.dup2(os.open('/dev/null', os.O_RDWR), of_class('Server').sock.fileno())",
    "closes everything": "os.closerange(0, 256)",
}


ENDING = hand_ins(in_calls(ENDED, TOOLS + "import os\n"))


@pytest.mark.parametrize("answers", ENDING.values(), ids=ENDING)
def test_who_hangs_up_ends_its_own_test_only(bar, answers: dict[str, str]) -> None:
    assert bar.scores(answers, times=HASTY) == bar.full(*[f"test_{cell}" for cell in answers])


STALLED = {
    "claims 200 MB and sends none": (
        "tally", "def tally(items):\n    of_class('Server').sock.sendall(struct.pack('<Q', 200 * 2**20))\n    time.sleep(60)"),
    "sends a byte at a time": (
        "tally", "def tally(items):\n    sock = of_class('Server').sock\n    sock.sendall(struct.pack('<Q', 10**6))\n"
        "    while True:\n        sock.sendall(b'x')\n        time.sleep(0.05)"),
    "asks the test's function without end": (
        "crossing", "def crossing(f, low, high, steps):\n    while True:\n        f(1.0)"),
    "asks for its own answer's answer": (
        "crossing", "def crossing(f, low, high, steps):\n    server = of_class('Server')\n    while True:\n"
        "        server.sock.sendall(framed(body(plain({'callback': 0, 'args': [1.0], 'kwargs': {}}))))"),
    "sends a set whose hashes are all the same": (
        "tally", "def tally(items):\n    many = [{'int': hex(i * (2**61 - 1))} for i in range(1, 400_000)]\n"
        "    result = plain({'changed': [], 'inout': [], 'graph': None})\n    result['dict'].append(['value', {'set': many}])\n"
        "    of_class('Server').sock.sendall(framed(body({'dict': [['answer', result]]})))"),
}  # fmt: skip


@pytest.mark.parametrize("name", STALLED)
def test_who_keeps_the_judge_waiting_loses_one_test(bar, name: str) -> None:
    cell, source = STALLED[name]
    verdict = bar.hear({cell: TOOLS + "\n\n" + source}, times=HASTY)
    assert verdict.scores(bar.lab) == bar.full(f"test_{cell}")
    assert "the test took more than 2 s" in verdict.outcomes[f"test_{cell}"].message


def test_a_message_that_unfolds_in_memory_is_refused(bar) -> None:
    bomb = (
        "\n\ndef tally(items):\n    count = 100 * 2**20\n"
        "    data = b'\\x82\\xa4tree\\xdd' + struct.pack('>I', count) + b'\\x80' * count + b'\\xa6memory\\x90'\n"
        "    of_class('Server').sock.sendall(struct.pack('<Q', len(data)))\n    of_class('Server').sock.sendall(data)"
    )
    verdict = bar.hear({"tally": TOOLS + bomb}, limits=Limits(memory=1 * GIB))
    assert verdict.scores(bar.lab) == bar.full("test_tally")
    assert "a message that cannot be read (MemoryError)" in verdict.outcomes["test_tally"].message


REPORTS = {
    "a number": "1",
    "a list": "[1]",
    "text that says the end": "'the end'",
    "a report of a number": "plain({'cell': 'crossing', 'output': 1})",
    "a report without an output": "plain({'cell': 'crossing'})",
    "a report of no cell": "plain({'cell': None, 'output': ''})",
    "a claim of a test that is not next": "{'dict': [[1, 2]]}",
    "the end": "plain({'end': True})",
    "an int of four thousand digits": "plain({'cell': {'int': 'f' * 4900}, 'output': ''})",
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_forged_report_costs_what_comes_after_it_and_nothing_before(bar, name: str) -> None:
    source = TOOLS + f"\nimport os\nof_class('Cells').main.sendall(framed(body({REPORTS[name]})))\nos.kill(-1, 9)"
    scores = bar.scores({"crossing": source}, times=HASTY)
    assert scores == bar.full(*[test for test in bar.full() if test not in ("test_standardize", "test_tally")])


def test_an_answer_left_in_a_later_tests_socket_earns_nothing(bar) -> None:
    source = (
        TOOLS
        + f"\nof_class('Cells').tests['test_ring'][0].sendall(answer({RIGHT}) * 50)\n\n\ndef tally(items):\n    return {{}}"
    )
    assert bar.scores({"tally": source}) == bar.full("test_tally", "test_ring")


def test_a_flood_of_reports_is_a_hand_in_out_of_time(bar) -> None:
    flood = "\nmain = of_class('Cells').main\nwhile True:\n    main.sendall(framed(body(plain({'cell': 'x', 'output': 'y'}))))"
    verdict = bar.hear({"crossing": TOOLS + flood}, times=TimeLimits(cell=30.0, test=2.0, total=4.0))
    assert [test for test, points in verdict.scores(bar.lab).items() if points] == ["test_standardize", "test_tally"]
    assert "the hand-in took" in verdict.remarks[0]
    assert bar.scores({}) == bar.full()
