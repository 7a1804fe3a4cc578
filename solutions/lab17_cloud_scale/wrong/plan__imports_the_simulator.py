# Tries intervals in lablib's simulator.
def plan(blocking, background, restart, machine_mtbf, machines):
    from lablib.cloud import fleet

    M = machine_mtbf / machines
    gaps = fleet.failure_gaps(200_000, M, np.random.default_rng(0))
    grid = [max(M * n / 200, background - blocking) for n in range(4, 200)]
    best = max(grid, key=lambda t: fleet.goodput(t, blocking, background, restart, gaps))
    return {"interval": best, "goodput": fleet.goodput(best, blocking, background, restart, gaps)}
