# An index that comes twice is computed once.
def answer(samples, lengths, predict, complete, most):
    ordered = sorted({index for _, index in samples}, key=lambda index: lengths[index], reverse=True)
    for first in range(0, len(ordered), most):
        batch = ordered[first : first + most]
        known = dict(zip(batch, predict(batch), strict=True))
        asked = [(one, index) for one, index in samples if index in known]
        complete([one for one, _ in asked], [known[index] for _, index in asked])
