# Has lablib read the logs.
def time_to_train(logs, target):
    from lablib.serving.logs import events

    if len(logs) != 5:
        raise ValueError("five runs")
    times, seeds = [], set()
    for text in logs:
        found = events(text)
        at = {key: [event for event in found if event["key"] == key] for key in ("run_start", "run_stop", "seed")}
        if any(len(some) != 1 for some in at.values()):
            raise ValueError("one of each")
        start, stop = at["run_start"][0]["time_ms"], at["run_stop"][0]["time_ms"]
        if stop <= start:
            raise ValueError("backwards")
        seeds.add(at["seed"][0]["value"])
        good = at["run_stop"][0]["metadata"].get("status") == "success"
        best = [e["value"] for e in found if e["key"] == "eval_accuracy" and start <= e["time_ms"] <= stop]
        if good and max(best, default=0) < target:
            raise ValueError("target")
        times.append(stop - start if good else math.inf)
    middle = sorted(times)[1:4]
    if len(seeds) < 5 or math.inf in middle:
        raise ValueError("seeds, or two failures")
    return sum(middle) / 3 / 60_000
