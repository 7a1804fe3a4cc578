def distinct_bytes(x):
    return x.untyped_storage().nbytes()
