"""Federated learning on Flower: clients keep their data, and what crosses the network is counted.

- `lablib.federated.splits` divides labelled data among clients, evenly or with skewed labels.
- `lablib.federated.digits_app` has a Flower ServerApp and ClientApp that train a small network on handwritten digits.
- `lablib.federated.flower` is what the labs use of Flower.
- `lablib.federated.grid` runs such apps in this process, and counts every byte that they send.
- `lablib.federated.superlink` runs the same apps on a real SuperLink, with SuperNodes as processes of this machine.
- `lablib.federated.keys` has what secure aggregation starts from: agreed secrets, and streams of masks from them.
- `lablib.federated.privacy` has the Rényi divergence of the sampled Gaussian mechanism, by numerical integration.

Importing this package turns Flower's telemetry and its check for updates off: nothing leaves the machine.
"""

import os

# Flower reads both when it is first imported.
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["FLWR_DISABLE_UPDATE_CHECK"] = "1"
