import numpy as np
import pytest
import torch

import estimators
from zotheory.model.gradients import layer_weights
from zotheory.model.prompts import label_word_ids, last_logits, prompt_loss
from zotheory.papers.smezo.directions import (
    LOSSES,
    both_losses,
    draw,
    extremes,
    make_batches,
    measure_noise,
    measure_steps,
)

LENGTH = 1e-3


@pytest.fixture
def batches(tiny, text):
    return make_batches(tiny, text, count=3, size=4, seed=0)


def weights(tiny):
    return [parameter.detach().clone() for parameter in tiny.model.parameters()]


def test_batches_share_no_sentence_and_there_are_no_more_than_fit(tiny, text):
    batches = make_batches(tiny, text[:20], count=2, size=10, seed=0)
    rows = torch.cat([batch.tokens[0] for batch in batches]).reshape(20, 4)
    assert len(rows.unique(dim=0)) == 20
    with pytest.raises(ValueError, match="21 sentences, got 20"):
        make_batches(tiny, text[:20], count=3, size=7, seed=0)


def test_directions_are_those_of_the_optimizer(tiny, batches):
    seen = []

    def closure():
        seen.append(both_losses(tiny, batches[0])[0])
        return seen[-1]

    study = measure_steps(tiny, batches, directions=1, length=LENGTH, seed=5)
    estimators.mezo(tiny.model, lr=0.0, eps=LENGTH, seed=5, restore="copy").step(closure)
    assert seen == pytest.approx(study.ends[0, :, 0, 0].tolist(), rel=1e-6)


def test_the_study_of_steps(tiny, batches):
    before = weights(tiny)
    study = measure_steps(tiny, batches, directions=14, length=LENGTH, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(tiny), strict=True))
    assert study.pairs[:4].tolist() == [[0, 1], [0, 1], [0, 2], [0, 2]]
    assert study.pairs[12].tolist() == [0, 1]
    np.testing.assert_allclose(np.einsum("lbb->lb", study.cosines), 1.0)
    np.testing.assert_allclose(study.slopes, study.linear, rtol=0.1, atol=1.0)  # of slopes of 25
    words = label_word_ids(tiny.tokenizer)
    for row, loss in enumerate(LOSSES):
        gradients = []
        for batch in batches[:2]:
            value = prompt_loss(last_logits(tiny, batch), batch.labels, words, loss)
            found = torch.autograd.grad(value, list(tiny.model.parameters()))
            gradients.append(torch.cat([g.flatten() for g in found]))
        z = torch.cat([entries.flatten() for entries in draw(tiny.model, 1, 0)])
        assert study.gram[row, 0, 1] == pytest.approx(float(gradients[0] @ gradients[1]), rel=1e-4)
        assert study.linear[0, row, 1] == pytest.approx(float(gradients[1] @ z), rel=1e-3)


def test_a_step_lands_where_its_own_batch_has_the_lower_loss(tiny, batches):
    study = measure_steps(tiny, batches, directions=6, length=LENGTH, seed=2)
    i = study.pairs[:, 0]
    lower = study.ends[:, :, :, 0].min(axis=1)
    np.testing.assert_allclose(study.changes[:, :, 0], lower - study.start[:, i].T)


def block_matrices(tiny):
    return {weight.name for weight in layer_weights(tiny.model)}


def test_extremes_are_a_share_of_every_matrix_of_the_blocks(tiny):
    names = block_matrices(tiny)
    largest, smallest = extremes(tiny.model, names, 0.25)
    named = tiny.model.named_parameters()
    for (name, parameter), high, low in zip(named, largest, smallest, strict=True):
        if name not in names:  # embeddings and norms
            assert not high.any()
            assert not low.any()
            continue
        assert int(high.sum()) == int(low.sum()) == parameter.numel() // 4
        assert parameter.abs()[high].min() > parameter.abs()[low].max()


def test_noise_of_both_kinds_has_the_stated_norm(tiny, batches):
    before = weights(tiny)
    study = measure_noise(
        tiny, batches, share=0.25, norms=(0.01, 0.1), draws=3, seed=0, tell=lambda *_: None
    )
    assert study.raises.shape == (3, 2, 2, 2)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(tiny), strict=True))
    # By hand: the second draw, the larger norm, the smallest weights.
    z, mask = draw(tiny.model, 0, 1), extremes(tiny.model, block_matrices(tiny), 0.25)[1]
    noise = torch.cat([(a * b).flatten() for a, b in zip(z, mask, strict=True)])
    named = dict(tiny.model.named_parameters())
    total = torch.cat([named[name].flatten() for name in block_matrices(tiny)]).norm()
    noise = noise * (0.1 * total / noise.norm())
    raises = []
    for sign in (1, -1):
        flat = torch.cat([w.flatten() for w in before]) + sign * noise
        torch.nn.utils.vector_to_parameters(flat, tiny.model.parameters())
        raises.append(both_losses(tiny, batches[1]))
    expected = np.mean(raises, axis=0) - study.start[:, 1]
    np.testing.assert_allclose(study.raises[1, 1, 1], expected, rtol=1e-3, atol=1e-5)
