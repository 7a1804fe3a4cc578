# Loses nothing, and saves nothing.
def fine_tune(state, x, y):
    return dict(state)
