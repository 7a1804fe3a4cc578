"""Designs that the labs build: each with its numpy model, which the hardware equals bit by bit."""
