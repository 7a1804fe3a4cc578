# A static batch: nobody joins until all are done.
def schedule(running, waiting, free, page, slots):
    return [], [] if running else [request for request, _ in waiting[:slots]]
