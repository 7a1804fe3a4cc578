"""Serve a model, and say how fast in MLPerf's terms: LoadGen, its logs, and a batcher on a clock that is simulated.

- `lablib.serving.loadgen` runs MLPerf's load generator against a function of yours.
- `lablib.serving.logs` reads and writes ``:::MLLOG`` lines, and sums up a run.
- `lablib.serving.batching` plays a batching policy against arrivals in virtual time, and in real time under LoadGen.
"""
