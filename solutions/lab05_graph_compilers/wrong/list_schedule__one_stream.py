# Runs everything on one stream.
def list_schedule(durations, waits, streams):
    placed, now = {}, 0
    while len(placed) < len(durations):
        task = next(t for t in range(len(durations)) if t not in placed and all(w in placed for w in waits[t]))
        placed[task] = (0, now)
        now += durations[task]
    return [placed[task] for task in range(len(durations))]
