# Has lablib read the log.
def submission(detail, accuracy_log, labels, reference):
    from lablib.serving.logs import events, summary

    rows = json.loads(accuracy_log)
    if sorted(row["qsl_idx"] for row in rows) != list(range(len(labels))):
        raise ValueError("not every sample once")
    told = summary(detail)
    right = sum(labels[r["qsl_idx"]] == int.from_bytes(bytes.fromhex(r["data"]), "little", signed=True) for r in rows)
    errors = [event["value"] for event in events(detail) if event["key"] == "num_errors"]
    valid, accuracy = told["valid"] and errors[-1] == 0, right / len(labels)
    return {
        "scenario": told["scenario"], "result": told["value"], "valid": valid, "accuracy": accuracy,
        "conforming": valid and accuracy >= 0.99 * reference,
    }
