# Computes all batches, then reports them one by one.
def answer(samples, lengths, predict, complete, most):
    ordered = sorted(samples, key=lambda sample: lengths[sample[1]], reverse=True)
    batches = [ordered[first : first + most] for first in range(0, len(ordered), most)]
    found = [predict([index for _, index in batch]) for batch in batches]
    for batch, answers in zip(batches, found, strict=True):
        complete([one for one, _ in batch], answers)
