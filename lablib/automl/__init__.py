"""Architecture search on a space that was trained whole: cells, their network, and many of them trained at a time.

``python -m lablib.automl.train_table --out FOLDER`` trains every cell again.
"""
