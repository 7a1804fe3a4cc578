"""One small model a file: cnn, cnn3d, vit, gpt, gcn, vae, diffusion; `weights` has trained ones.

Importing this package imports none of them: take each by its module, as in ``from lablib.models.gpt import GPT``.
"""
