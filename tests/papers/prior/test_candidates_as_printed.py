"""The printed algorithms, and what is derived of two candidates."""

import numpy as np
import pytest
import sympy as sp
import torch

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.papers.prior import algorithms, lemma4_proof, memory, passes, two_candidates
from zotheory.papers.prior.printed_steps import (
    Method,
    Trajectories,
    guiding_weights,
    uneven,
)
from zotheory.statistics import Decision
from zotheory.vocabulary import Kind, Statement


def test_guiding_weights_are_those_of_equation_5():
    found = guiding_weights(np.array([[3.0, 1.0, 2.0, 0.0]]), 1)
    assert found.tolist() == [[-1 / 3, -1 / 3, -1 / 3, 1.0]]


@pytest.mark.parametrize("name", ["mezo", "guided", "greedy"])
def test_an_estimate_is_the_printed_formula(name):
    """Run by run, by hand."""
    noises = np.random.default_rng(0).standard_normal((4, 5, 3))
    drawn, theta = iter(noises), np.linspace(-1, 1, 15).reshape(5, 3)

    def loss(at):
        return uneven(at, np.ones(len(at)))

    found = Method(name, 0.5, 4).estimate(loss, theta, lambda: next(drawn))
    for i in range(5):
        z, at = noises[:, i], theta[i]

        def value(v, at=at):
            return loss((at + v)[None])[0]

        order = sorted(range(4), key=lambda j: value(0.5 * z[j]))
        v = {
            "mezo": z[0],
            "greedy": z[order[0]],
            "guided": z[order[:2]].mean(axis=0) - z[order[2:]].mean(axis=0),
        }[name]
        assert found[i] == pytest.approx((value(0.5 * v) - value(-0.5 * v)) * v)


def test_trajectories_keep_their_frames_for_as_many_steps():
    """Rank-one noise of one frame: both steps move along one direction, the third does not."""
    method, start = Method("mezo", 0.1), (0.3, -0.2, 0.1, 0.4)
    runs = Trajectories(method, 0.3, uneven, start, 3, (2, 2, 1, 2))(np.random.default_rng(0), 6)
    moves = np.diff(np.concatenate([np.tile(start, (6, 1)), runs], axis=1).reshape(6, 4, 4), axis=1)
    for first, second, third in moves:
        assert np.linalg.matrix_rank(np.stack([first, second]), tol=1e-9) == 1
        assert np.linalg.matrix_rank(np.stack([first, third]), tol=1e-9) == 2


# --- two candidates -----------------------------------------------------------------------------


@pytest.fixture
def context(tmp_path) -> Context:
    return Context("a.b", 0, BUDGETS["quick"], None, None, tmp_path)


def test_losses_of_two_candidates_bear_on_nothing_those_of_four_do(context):
    """The checks say yes of M = 4, exactly and by search."""
    (claim,) = two_candidates.CLAIMS
    four = {"M": 4}
    bears = Statement("They do.", claim.statement.formula, setting=four)
    does_not = Statement("They do not.", claim.correction.formula, setting=four)
    verdicts = {
        check.kind: (check.judge(bears, context).verdict, check.judge(does_not, context).verdict)
        for check in claim.checks
    }
    assert verdicts[Kind.EXACT] == ("proved", "refuted")
    assert verdicts[Kind.SEARCH] == ("confirmed", "refuted")


def test_guides_are_counted_up_to_their_sign():
    half = sp.Rational(1, 2)
    assert two_candidates.guides(2, 1) == [(1, -1)]
    assert len(two_candidates.guides(4, 2)) == 3
    assert all(w.count(half) == 2 for w in two_candidates.guides(4, 2))
    assert len(two_candidates.guides(3, 1)) == 3


# --- Algorithms 1 to 4 on tensors ---------------------------------------------------------------


def weights() -> list[torch.Tensor]:
    return [torch.linspace(-1, 1, n, dtype=torch.float64) for n in (4, 3)]


def value(of: list[torch.Tensor]) -> float:
    flat = torch.cat(of)
    return float(torch.sin(2 * flat).sum() + flat[0] * flat.square().sum())


@pytest.mark.parametrize(
    ("of", "name"),
    [
        (algorithms.Guided, "guided"),
        (algorithms.Rebuilt, "guided"),
        (algorithms.Greedy, "greedy"),
    ],
)
def test_a_step_on_tensors_is_the_printed_estimate(of, name):
    theta = weights()
    start = torch.cat(theta).numpy().copy()
    of(theta, 1e-2, 0.1, 4).step(lambda: value(theta), first=7)
    moved = torch.cat(theta).numpy() - start
    noises = iter(
        [
            np.concatenate([z.numpy() for z in of(weights(), 1e-2, 0.1, 4).noise(s)])[None]
            for s in range(7, 11)
        ]
    )

    def loss(at):
        return np.array([value([torch.from_numpy(row)]) for row in at])

    found = Method(name, 1e-2, 4).estimate(loss, start[None], lambda: next(noises))[0]
    assert moved == pytest.approx(-0.1 * found, abs=1e-12)


def test_what_is_held_is_a_vector_every_candidate_or_a_tensor():
    """One layer of OPT-13B: beside the weights v, four z_i, or the largest tensor."""
    from zotheory.papers.shared.architectures import opt_13b

    model = [p.nbytes for p in opt_13b(layers=1).parameters()]
    beyond = {m: memory._peak(m, 1) - sum(model) for m in ("guided", "greedy", "rebuilt")}
    assert beyond["guided"] == sum(model) + max(model)
    assert beyond["greedy"] == 4 * sum(model)
    assert beyond["rebuilt"] == max(model)


# --- the rest -----------------------------------------------------------------------------------


def test_the_opposite_turns_a_verdict_round():
    told = Decision("confirmed", 1.0, (0.0, 2.0), 3.0, 0.0, 1e-4, 5, 1, "a", "b")
    assert passes.opposite(decide=lambda: told).verdict == "refuted"


def test_twice_the_lower_half_is_m_plus_the_sum():
    """m^2, (2 sum over Lambda_1)^2 and 1 in columns, as means of a million draws at k = 4."""
    factors = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    found = lemma4_proof.Sums(4, factors)(np.random.default_rng(0), 1_000_000).mean(axis=0)
    assert found[1] - found[0] == pytest.approx(4, abs=0.05)
    assert found[2] == 1
