"""Datasets that are there offline, each with its origin and licence; `README.md` beside this file lists them.

Importing this package imports none of them: take each by its module, as in ``from lablib.data.mnist import mnist``.
"""
