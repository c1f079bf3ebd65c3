import numpy as np
import pytest

from zotheory.papers.smezo.linear_loss import _random_square
from zotheory.papers.smezo.quadratic import UnderMask


def test_what_is_not_on_the_mask_stays():
    """Without a step all is left; after many, on average what five of six coordinates hold."""
    assert UnderMask(6, 1, 0)(np.random.default_rng(0), 3) == pytest.approx(np.ones(3))
    left = UnderMask(6, 1, 30)(np.random.default_rng(1), 60)
    assert left.mean() == pytest.approx(5 / 6, abs=0.1)


def test_square_of_a_random_masks_cosine():
    """Against masks and noise drawn with numpy."""
    rng, d, keep = np.random.default_rng(0), 6, 0.5
    g = np.linspace(-1.0, 2.0, d)
    z = rng.standard_normal((200_000, d)) * (rng.random((200_000, d)) < keep)
    norm = np.maximum(np.einsum("ij,ij->i", z, z), 1e-300)
    squares = (z @ g) ** 2 / (norm * (g @ g))
    assert np.mean((d * squares) ** 2) == pytest.approx(_random_square(d, keep), rel=0.02)
