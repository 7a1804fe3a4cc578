# Takes the array that lablib ships.
def systolic_cpp(parameters):
    from lablib.hls.designs.systolic import systolic

    return systolic().source
