from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from lablib.federated.flower import (
    ArrayRecord,
    ClientApp,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
    ServerApp,
)
from lablib.federated.grid import InProcessGrid, run_in_process, wire_bytes


def counting_client() -> ClientApp:
    """Replies with its number, and how often it was asked."""
    app = ClientApp()

    @app.train()
    def train(message, context):
        seen = context.state["seen"]["n"] + 1 if "seen" in context.state else 1
        context.state["seen"] = MetricRecord({"n": seen})
        found = {"n": seen, "client": context.node_config["partition-id"], "lr": context.run_config["lr"]}
        return Message(RecordDict({"found": MetricRecord(found)}), reply_to=message)

    return app


def order(node: int, size: int = 3) -> Message:
    content = RecordDict({"model": ArrayRecord({"w": torch.zeros(size)})})
    return Message(content, node, MessageType.TRAIN)


@pytest.fixture
def grid() -> InProcessGrid:
    return InProcessGrid(counting_client(), 3, {"lr": 0.5})


def test_replies_come_from_the_nodes_that_were_asked(grid):
    replies = grid.send_and_receive([order(3), order(1)])
    assert [dict(r.content["found"]) for r in replies] == [
        {"n": 1, "client": 2, "lr": 0.5},
        {"n": 1, "client": 0, "lr": 0.5},
    ]
    assert dict(grid.messages) == {3: 1, 1: 1}


def test_a_client_keeps_its_state(grid):
    replies = [grid.send_and_receive([order(2)])[0] for _ in range(3)]
    assert [r.content["found"]["n"] for r in replies] == [1, 2, 3]


def test_bytes_are_those_of_the_messages(grid):
    message = order(1, size=1000)
    (reply,) = grid.send_and_receive([message])
    assert grid.downlink[1] == wire_bytes(message.content) > 4000
    assert grid.uplink[1] == wire_bytes(reply.content) < 200


def test_more_numbers_are_as_many_more_bytes():
    small, large = (wire_bytes(order(1, size).content) for size in (1000, 2000))
    assert 4000 <= large - small <= 4010  # lengths are written with a few digits more


def test_pushed_messages_are_pulled_once(grid):
    keys = grid.push_messages([order(1), order(2)])
    assert len(grid.pull_messages(keys)) == 2 and grid.pull_messages(keys) == []


def test_an_unknown_node_is_refused(grid):
    with pytest.raises(ValueError, match="no node 4: this grid has nodes 1 to 3"):
        grid.send_and_receive([order(4)])


def test_the_report_is_what_the_server_wrote():
    server = ServerApp()

    @server.main()
    def main(grid, context):
        nodes = list(grid.get_node_ids())
        Path(context.run_config["report"]).write_text(json.dumps({"nodes": nodes, "x": context.run_config["x"]}))

    report, grid = run_in_process(server, counting_client(), 2, {"x": 7})
    assert report == {"nodes": [1, 2], "x": 7} and not grid.messages


def test_telemetry_is_off():
    from flwr.supercore import telemetry

    assert telemetry.FLWR_TELEMETRY_ENABLED == "0" and os.environ["FLWR_DISABLE_UPDATE_CHECK"] == "1"
