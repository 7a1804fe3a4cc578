# Starts the next tasks when all of a round have ended.
def list_schedule(durations, waits, streams):
    placed, now = {}, 0
    while len(placed) < len(durations):
        ready = [t for t in range(len(durations)) if t not in placed and all(w in placed for w in waits[t])]
        ready = sorted(ready, key=lambda task: -durations[task])[:streams]
        for stream, task in enumerate(ready):
            placed[task] = (stream, now)
        now += max(durations[task] for task in ready)
    return [placed[task] for task in range(len(durations))]
