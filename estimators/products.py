"""Adding the product of two thin factors to a matrix."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d

# Below these sizes, measured on two cores, `addmm_` is the faster way.
_ENTRIES, _RANK, _ROWS = 1 << 18, 32, 64
_PIECE = 1 << 21  # entries of the product that are held at once
_IMAGES = 16  # PyTorch gives so many to oneDNN, whatever the number of threads


def add_product(out: Tensor, left: Tensor, right: Tensor, alpha: float, beta: float = 1.0) -> None:
    """out <- beta out + alpha left right^T, with out (m x n), left (m x r) and right (n x r).

    `addmm_`, except for large float32 matrices on the CPU. PyTorch gives their products to MKL,
    which uses half the vector width of some processors (AMD's), but convolutions to oneDNN; and
    a product is a convolution of 1 x 1 pixels with r channels in and n out. It is made in pieces
    that stay in the cache, and costs 0.6 of `addmm_` there.
    """
    height = _PIECE // out.shape[1] // _IMAGES * _IMAGES
    if not _convolves(out, left) or height < _ROWS:
        out.addmm_(left, right.T, beta=beta, alpha=alpha)
        return
    if beta != 1.0:
        out.mul_(beta)
    whole = len(out) // _IMAGES * _IMAGES
    for low in range(0, whole, height):
        high = min(whole, low + height)
        out[low:high].add_(_product(left[low:high], right), alpha=alpha)
    if whole < len(out):
        out[whole:].addmm_(left[whole:], right.T, alpha=alpha)


def _convolves(out: Tensor, left: Tensor) -> bool:
    return (
        out.device.type == "cpu"
        and out.dtype == left.dtype == torch.float32
        and out.numel() >= _ENTRIES
        and left.shape[1] >= _RANK
        and torch.backends.mkldnn.is_available()
    )


def _product(left: Tensor, right: Tensor) -> Tensor:
    """left right^T, the rows of left as the pixels of `_IMAGES` images, channels last."""
    (m, r), n = left.shape, len(right)
    pixels = left.reshape(_IMAGES, m // _IMAGES, 1, r).permute(0, 3, 1, 2)
    kernel = right.reshape(n, 1, 1, r).permute(0, 3, 1, 2)
    return conv2d(pixels, kernel).permute(0, 2, 3, 1).reshape(m, n)
