# Ordinary least squares: the longest times decide alone.
def fit(rows):
    columns = np.array([[row["ops"], row["bytes"]] for row in rows], dtype=float)
    scale = np.linalg.norm(columns, axis=0)
    a, b = np.linalg.lstsq(columns / scale, np.array([row["seconds"] for row in rows]), rcond=None)[0] / scale
    return float(a), float(b)


def crossover(a, b, bytes_per_element):
    return a / (b * bytes_per_element)
