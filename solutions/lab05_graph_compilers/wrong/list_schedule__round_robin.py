# Gives tasks to streams in turn.
def list_schedule(durations, waits, streams):
    placed, ends, free = {}, {}, [0] * streams
    while len(placed) < len(durations):
        task = next(t for t in range(len(durations)) if t not in placed and all(w in placed for w in waits[t]))
        stream = len(placed) % streams
        start = max([free[stream], *(ends[w] for w in waits[task])])
        placed[task] = (stream, start)
        free[stream] = ends[task] = start + durations[task]
    return [placed[task] for task in range(len(durations))]
