"""Training on two cores or one GPU: a loop, metrics, and the recipes of the weights that `lablib.models` ships.

``python -m lablib.train --out FOLDER cnn vit`` trains those two again.
"""
