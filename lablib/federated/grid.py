"""Run Flower apps in this process, and count what they send.

A Flower ServerApp talks to its clients through a Grid. The one that Flower ships sends messages to a SuperLink, which
hands them to SuperNodes. This one calls the ClientApp directly: same apps, same messages, no process, no socket.
"""

from __future__ import annotations

import json
import logging
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lablib.federated.flower import Context, Grid, Message, RecordDict, TaskIdentity, recorddict_to_proto

__all__ = ["InProcessGrid", "run_in_process", "wire_bytes"]

_RUN = 1


def wire_bytes(content: RecordDict) -> int:
    """Bytes of a message's content as Flower serialises it: numbers, names, dtypes and shapes."""
    return recorddict_to_proto(content).ByteSize()


class InProcessGrid(Grid):
    """A Grid whose nodes are calls of one ClientApp.

    Each node has a Context of its own, which stays from message to message, as on a SuperNode.

    Parameters
    ----------
    client_app
        A ``flwr.clientapp.ClientApp``.
    clients
        How many nodes; node ``k + 1`` has ``{"partition-id": k, "num-partitions": clients}``.
    run_config
        What the ClientApp reads as ``context.run_config``.

    Attributes
    ----------
    downlink, uplink
        Bytes of messages to and from each node, by node id; see `wire_bytes`.
    messages
        How many were sent to each node.
    """

    def __init__(self, client_app: Any, clients: int, run_config: Mapping[str, Any] | None = None) -> None:
        self.client_app = client_app
        self.contexts = {
            node + 1: Context(
                run_id=_RUN, node_id=node + 1, node_config={"partition-id": node, "num-partitions": clients},
                state=RecordDict(), run_config=dict(run_config or {}),
            )
            for node in range(clients)
        }  # fmt: skip
        self.downlink: Counter[int] = Counter()
        self.uplink: Counter[int] = Counter()
        self.messages: Counter[int] = Counter()
        self._replies: dict[str, Message] = {}
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = _RUN, 0, 0

    def set_run(self, run: Any) -> None:
        """There is one run only."""

    @property
    def run(self) -> Any:
        """No run of a SuperLink."""
        return None

    def get_node_ids(self) -> list[int]:
        """1 to the number of clients."""
        return list(self.contexts)

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """As ``flwr.app.Message`` makes it."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Run the ClientApp on each message; its reply waits for `pull_messages`."""
        return [self._deliver(message) for message in messages]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Replies to messages that were pushed; each can be had once."""
        return [self._replies.pop(key) for key in message_ids if key in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Push, then pull. Nothing runs beside it, so that no timeout can pass."""
        return self.pull_messages(self.push_messages(messages))

    def _deliver(self, message: Any) -> str:
        node = message.metadata.dst_node_id
        if node not in self.contexts:
            raise ValueError(f"There is no node {node}: this grid has nodes 1 to {len(self.contexts)}.")
        key = str(uuid.uuid4())
        # A SuperLink numbers messages, and replies refer to the number; Flower 1.41.0, tried here, has no setter.
        message.metadata._message_id = key
        reply = self.client_app(message, self.contexts[node])
        self.messages[node] += 1
        self.downlink[node] += wire_bytes(message.content)
        self.uplink[node] += wire_bytes(reply.content)
        self._replies[key] = reply
        return key


def run_in_process(
    server_app: Any, client_app: Any, clients: int, run_config: Mapping[str, Any]
) -> tuple[dict[str, Any], InProcessGrid]:
    """Run a ServerApp against clients in this process.

    Parameters
    ----------
    server_app, client_app
        Of Flower. The ServerApp writes its report, as JSON, to the file that ``run_config["report"]`` names.
    clients
        How many there are.
    run_config
        Values by name, for both apps; ``"report"`` is added.

    Returns
    -------
    report : dict
        What the ServerApp wrote.
    grid : InProcessGrid
        With its counters.

    Examples
    --------
    >>> from lablib.federated.digits_app import digits_apps
    >>> report, grid = run_in_process(*digits_apps(), clients=3, run_config={"rounds": 1})
    >>> len(report["accuracy"]), sum(grid.messages.values())
    (1, 3)
    """
    logging.getLogger("flwr").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        config = {**run_config, "clients": clients, "report": str(report)}
        grid = InProcessGrid(client_app, clients, config)
        server_app(grid, Context(run_id=_RUN, node_id=0, node_config={}, state=RecordDict(), run_config=config))
        return json.loads(report.read_text()), grid
