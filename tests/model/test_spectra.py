import numpy as np
import pytest
import torch

from zotheory.model.gradients import (
    SpectrumQueue,
    gram,
    layer_weights,
    singular_values_of_gram,
    weight_spectra,
)


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (5, 5), (1, 4)])
def test_singular_values_of_gram(shape):
    matrix = torch.tensor(np.random.default_rng(0).normal(size=shape), dtype=torch.float32)
    expected = np.linalg.svd(matrix.numpy().astype(float), compute_uv=False)
    np.testing.assert_allclose(singular_values_of_gram(gram(matrix)), expected, rtol=1e-12)


def test_small_singular_values_are_exact_to_the_stated_floor():
    rng = np.random.default_rng(1)
    u, v = (np.linalg.qr(rng.normal(size=(40, 40)))[0] for _ in range(2))
    values = np.logspace(0, -6, 40)
    matrix = torch.tensor(u * values @ v)
    np.testing.assert_allclose(singular_values_of_gram(gram(matrix)), values, atol=3e-8)


def test_queue_emits_every_matrix_and_does_not_mind_later_changes():
    matrices = {str(i): torch.randn(4, 3, generator=torch.manual_seed(i)) for i in range(5)}
    expected = {k: torch.linalg.svdvals(m.double()).numpy() for k, m in matrices.items()}
    found = {}
    with SpectrumQueue(found.__setitem__) as queue:
        for key, matrix in matrices.items():
            queue.put(key, matrix)
            matrix.zero_()
    assert found.keys() == expected.keys()
    for key, values in found.items():
        np.testing.assert_allclose(values, expected[key], rtol=1e-10)


def test_queue_passes_errors_on():
    with pytest.raises(np.linalg.LinAlgError), SpectrumQueue(lambda *_: None) as queue:
        queue.put("nan", torch.full((3, 3), float("nan")))


def test_weight_spectra(tiny):
    weights = layer_weights(tiny.model)[:7]
    spectra = weight_spectra(tiny.model, weights)
    for weight in weights:
        expected = torch.linalg.svdvals(tiny.model.get_parameter(weight.name).detach().double())
        np.testing.assert_allclose(spectra[weight.name], expected.numpy(), rtol=1e-9)
