"""Claims about steps and noise on a language model, judged on made-up studies of either kind."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import sympy as sp

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence import modelled
from zotheory.papers import select
from zotheory.papers.smezo import batches, finetuned
from zotheory.papers.smezo.batches import COSINE, agreement
from zotheory.papers.smezo.directions import NoiseStudy, StepStudy
from zotheory.vocabulary import DRAWN, Kind, Verdict

CONTEXT = Context("a claim", 0, BUDGETS["quick"], None, "a model", None)
STEP = 1e-4


def steps(cosine, directions=200, curvature=0.0, norm=50.0, seed=0) -> StepStudy:
    """Two batches whose gradients have a cosine, quadratic losses along every direction."""
    rng = np.random.default_rng(seed)
    gram = norm**2 * np.array([[[1.0, cosine], [cosine, 1.0]]] * 2)
    start = np.array([[8.0, 7.0], [1.0, 0.9]])
    x, w = rng.standard_normal((2, directions, 2))
    slopes = norm * np.stack([x, cosine * x + np.sqrt(1 - cosine**2) * w], axis=-1)
    bent = curvature * STEP**2 / 2
    sides = [start + sign * STEP * slopes + bent for sign in (1, -1)]
    pairs = np.tile([0, 1], (directions, 1))
    return StepStudy(STEP, gram, start, pairs, np.stack(sides, axis=1), slopes)


def noise(largest, smallest, seed=0) -> NoiseStudy:
    rng = np.random.default_rng(seed)
    mean = np.array([largest, smallest])[:, None]
    raises = mean + 0.1 * rng.standard_normal((24, len(batches.NORMS), 2, 2))
    return NoiseStudy(np.array(batches.NORMS), raises, np.ones((2, 4)))


@pytest.fixture(autouse=True)
def _a_model(monkeypatch):
    monkeypatch.setattr(modelled, "_load", lambda name: SimpleNamespace(name=name))


def judged(monkeypatch, id, study, kind="statement"):
    (claim,) = select([id])
    monkeypatch.setattr(finetuned, "study", lambda context: study)
    name = "noise" if isinstance(study, NoiseStudy) else "steps"
    monkeypatch.setattr(batches, name, lambda context: study)
    (check,) = (check for check in claim.checks if check.kind is Kind.MODEL)
    return check.judge(getattr(claim, kind), CONTEXT)


def along(cosine, spread=0.0, seed=0) -> SimpleNamespace:
    """A run whose batches' gradients have about this cosine at every step."""
    rng, cosines = np.random.default_rng(seed), {}
    for step in finetuned.STEPS:
        found = np.full((4, 4), cosine) + spread * rng.standard_normal((4, 4))
        cosines[step] = np.triu(found, 1) + np.triu(found, 1).T + np.eye(4)
    return SimpleNamespace(cosines=cosines)


@pytest.mark.parametrize(
    ("cosine", "spread", "statement", "correction"),
    [
        (0.156, 0.02, Verdict.CONFIRMED, Verdict.CONFIRMED),
        (0.9, 0.02, Verdict.REFUTED, Verdict.CONFIRMED),
        (-0.9, 0.02, Verdict.REFUTED, Verdict.REFUTED),
    ],
)
def test_another_batch_is_helped_as_the_cosines_say(
    monkeypatch, cosine, spread, statement, correction
):
    id, study = "smezo.fig2b.held_out", along(cosine, spread)
    found = judged(monkeypatch, id, study)
    assert found.verdict is statement
    assert judged(monkeypatch, id, study, "correction").verdict is correction
    assert judged(monkeypatch, id, study, "mutant").verdict is Verdict.REFUTED
    pairs = study.cosines[20][np.triu_indices(4, 1)]
    share = found.numbers["after 20 steps"]["mean"]
    assert share == pytest.approx(np.mean(0.5 + np.arcsin(pairs) / np.pi))


def test_steps_that_do_not_follow_the_gradient_refute_the_law(monkeypatch):
    study = steps(0.9)
    flipped = study.ends.copy()
    flipped[..., 1] = study.start[:, 1] - (study.ends[..., 1] - study.start[:, 1])
    against = StepStudy(STEP, study.gram, study.start, study.pairs, flipped, study.linear)
    assert judged(monkeypatch, "own.held_out", against).verdict is Verdict.REFUTED


def test_the_law_holds_for_one_direction_and_is_not_confirmed_for_two(monkeypatch):
    study = steps(0.9)
    assert judged(monkeypatch, "own.held_out", study).verdict is Verdict.CONFIRMED
    two = judged(monkeypatch, "own.held_out", study, "mutant")
    assert two.verdict in (Verdict.INCONCLUSIVE, Verdict.REFUTED)


@pytest.mark.parametrize(
    ("curvature", "verdict"), [(1e4, Verdict.CONFIRMED), (3e6, Verdict.REFUTED)]
)
def test_a_step_lowers_its_own_loss_unless_the_loss_is_bent(monkeypatch, curvature, verdict):
    study = steps(0.9, curvature=curvature)
    assert judged(monkeypatch, "smezo.fig2b.same_batch", study).verdict is verdict
    mutant = judged(monkeypatch, "smezo.fig2b.same_batch", study, "mutant")
    assert mutant.verdict is Verdict.REFUTED


def test_losses_at_a_cosine_are_lowered_as_the_law_says():
    study = steps(0.7, directions=20_000)
    for cosine in (-0.4, 0.0, 0.6):
        share = batches.at_cosine(study, cosine).mean(axis=0)
        np.testing.assert_allclose(share, 0.5 + np.arcsin(cosine) / np.pi, atol=0.02)


@pytest.mark.parametrize("directions", [1, 2])
def test_the_counted_difference_gives_the_share(directions):
    study = steps(0.8, directions=400)
    real = batches.agree(study.linear[:, :, 0] * study.linear[:, :, 1], directions)
    real[:3] = ~real[:3]
    found = batches.lowered(study, real, directions, 1e-4, seed=1)
    exact = float(agreement(directions).value.subs(COSINE, sp.Float(0.8)))
    assert np.all(found.lower < exact)
    assert np.all(exact < found.upper)
    assert np.all(found.upper - found.lower < 0.2)


@pytest.mark.parametrize("id", ["smezo.fig2b.same_batch", "own.held_out"])
def test_the_outcomes_of_every_pair_are_kept(monkeypatch, id):
    half = steps(0.9)
    pairs = half.pairs.copy()
    pairs[100:] = [1, 0]
    study = StepStudy(STEP, half.gram, half.start, pairs, half.ends, half.linear)
    numbers = judged(monkeypatch, id, study).numbers
    drawn = numbers[DRAWN]
    assert drawn["pairs of batches"] == [[0, 1], [1, 0]]
    assert drawn["draws by pair"] == [100, 100]
    share = numbers["share" if "share" in numbers else "counted share"]
    for loss in batches.NAMES:
        assert sum(drawn["outcomes by pair"][loss]) == pytest.approx(200 * share[loss])
        assert drawn["cosine by pair"][loss] == pytest.approx([0.9, 0.9])


def test_an_outcome_of_two_directions_is_counted_once():
    study = steps(0.9, directions=7)
    found = batches.by_pair(study, batches.agree(study.slopes[:, :, 0] ** 2, 2))
    assert found["draws by pair"] == [3]
    assert found["outcomes by pair"] == batches.by_loss([[3], [3]])


def test_the_raise_of_every_draw_is_kept(monkeypatch):
    study = noise(2.0, 1.0)
    numbers = judged(monkeypatch, "smezo.fig2c.large_weights", study).numbers
    where = f"noise of {batches.NORMS[-1]:.0%} of the weights' norm, {batches.NAMES[0]}"
    for kind, name in enumerate(("largest", "smallest")):
        raises = numbers[DRAWN][where][f"{name}, raise by draw"]
        assert raises == study.raises[:, -1, kind, 0].tolist()


@pytest.mark.parametrize(
    ("largest", "smallest", "statement", "correction"),
    [
        (2.0, 1.0, Verdict.CONFIRMED, Verdict.REFUTED),
        (1.0, 2.0, Verdict.REFUTED, Verdict.CONFIRMED),
        (1.0, 1.0, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
    ],
)
def test_noise_hurts_more_where_it_raises_the_loss_more(
    monkeypatch, largest, smallest, statement, correction
):
    id, study = "smezo.fig2c.large_weights", noise(largest, smallest)
    assert judged(monkeypatch, id, study).verdict is statement
    assert judged(monkeypatch, id, study, "correction").verdict is correction


@pytest.mark.parametrize(
    ("id", "study"),
    [
        ("smezo.fig2b.held_out", along(0.9, 0.02)),
        ("smezo.fig2b.held_out", along(-0.9, 0.02)),
        ("smezo.fig2c.large_weights", noise(1.0, 2.0)),
    ],
)
def test_a_refutation_shows_its_numbers_without_the_toolkit(monkeypatch, id, study):
    certificate = judged(monkeypatch, id, study).certificate
    done = subprocess.run(
        [sys.executable, "-I", "-c", certificate["snippet"]],
        capture_output=True,
        text=True,
        check=True,
    )
    shown = dict(line.split() for line in done.stdout.splitlines())
    for name in ("claimed", "actual"):
        assert float(shown[name]) == pytest.approx(certificate[name], rel=1e-6)
    gap = certificate["actual"] - certificate["claimed"]
    assert gap > 0 if "<" in certificate["relation"] else gap < 0
