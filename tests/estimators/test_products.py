"""Products of thin factors: every way of making them gives the same matrix."""

import pytest
import torch

from estimators import products
from estimators.products import add_product

SHAPES = [(700, 640, 40), (1237, 500, 33), (2500, 900, 64), (70, 5000, 32), (9, 7, 2)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_add_product(shape, dtype):
    """With rows that fill no image, views of larger matrices, and any number of threads."""
    m, n, r = shape
    generator = torch.Generator().manual_seed(0)
    left, right, start = (
        torch.randn(size, generator=generator, dtype=dtype)
        for size in ((r, m + 3), (n, 2 * r), (m + 5, n))
    )
    left, right = left.T[3:], right[:, ::2]
    wanted = 0.5 * start[5:].double() - 0.25 * left.double() @ right.double().T
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            whole = start.clone()
            add_product(whole[5:], left, right, -0.25, 0.5)
            assert torch.equal(whole[:5], start[:5])
            results.append(whole[5:].double())
    finally:
        torch.set_num_threads(threads)
    for found in results:
        torch.testing.assert_close(found, wanted, rtol=0, atol=2e-5 if r > 2 else 1e-6)


def test_large_products_are_made_in_pieces(monkeypatch):
    """The whole of a product is never held."""
    sizes = []
    product = products._product

    def watched(left, right):
        made = product(left, right)
        sizes.append(made.numel())
        return made

    monkeypatch.setattr(products, "_product", watched)
    out = torch.zeros(5000, 1000)
    add_product(out, torch.ones(5000, 64), torch.ones(1000, 64), 1.0)
    assert torch.equal(out, torch.full_like(out, 64.0))
    assert len(sizes) == 3
    assert max(sizes) <= 1 << 21
