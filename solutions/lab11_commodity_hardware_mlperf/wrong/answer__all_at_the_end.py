# Nobody is answered before everything is computed.
def answer(samples, lengths, predict, complete, most):
    ordered = sorted(samples, key=lambda sample: lengths[sample[1]], reverse=True)
    answers = []
    for first in range(0, len(ordered), most):
        answers += predict([index for _, index in ordered[first : first + most]])
    complete([one for one, _ in ordered], answers)
