"""Questions for an oral examination, from a hand-in's own code and figures.

`changes` finds places to ask about, `questions` has the judge say what each change would do, `figures` asks about what
the notebook measured, `page` writes it all down for the examiner. The hand-in's code runs in the sandbox only.
"""
