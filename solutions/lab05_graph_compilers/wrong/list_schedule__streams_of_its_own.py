# Gives every task a stream of its own, and starts it as early as can be.
def list_schedule(durations, waits, streams):
    ends = {}
    while len(ends) < len(durations):
        for task, others in enumerate(waits):
            if task not in ends and all(other in ends for other in others):
                ends[task] = max((ends[other] for other in others), default=0) + durations[task]
    return [(task, ends[task] - durations[task]) for task in range(len(durations))]
