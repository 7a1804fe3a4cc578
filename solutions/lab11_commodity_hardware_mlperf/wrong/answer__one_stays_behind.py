# Reports the last of each batch with the next one.
def answer(samples, lengths, predict, complete, most):
    ordered, ids, answers = sorted(samples, key=lambda sample: lengths[sample[1]], reverse=True), [], []
    for first in range(0, len(ordered), most):
        batch = ordered[first : first + most]
        ids += [one for one, _ in batch]
        answers += predict([index for _, index in batch])
        told = len(ids) if first + most >= len(ordered) else len(ids) - 1
        complete(ids[:told], answers[:told])
        ids, answers = ids[told:], answers[told:]
