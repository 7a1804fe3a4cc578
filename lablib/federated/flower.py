"""What the labs use of Flower, imported quietly and with telemetry off."""

from __future__ import annotations

import warnings

import lablib.federated  # noqa: F401  (first: it turns telemetry off)

try:
    with warnings.catch_warnings():
        # Flower's command line imports typer, which imports what click deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MessageType, MetricRecord, RecordDict
        from flwr.clientapp import ClientApp
        from flwr.common.serde import recorddict_to_proto
        from flwr.serverapp import Grid, ServerApp

        # Messages ask this class who sends them. A SuperLink's processes set it; Flower 1.41.0 has no public way.
        from flwr.supercore.task_identity import TaskIdentity
except ImportError as error:
    raise ImportError(
        "lablib.federated runs on Flower, which is not installed here: run `pip install flwr`, then restart the kernel."
    ) from error

__all__ = [
    "ArrayRecord", "ClientApp", "ConfigRecord", "Context", "Grid", "Message", "MessageType", "MetricRecord",
    "RecordDict", "ServerApp", "TaskIdentity", "recorddict_to_proto",
]  # fmt: skip
