# As many replicas as the peak of the last day needed.
def dollars_per_million(replica_ticks, tick_seconds, gpus, dollars_per_hour, tokens):
    return replica_ticks * tick_seconds / 3600 * gpus * dollars_per_hour / tokens * 1e6


def scale(demand, waiting, ready, starting, service):
    return math.ceil(1.25 * max(demand) / service["capacity"])
