"""First and second moments, costs, sources and Gram-Schmidt: what a reader would check by hand."""

import numpy as np
import pytest
import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.matrices import M, N, R
from tests.papers.svd0.test_subspaces_sampler import agree
from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.papers.shared.matrix_estimates import Loss, MatrixEstimates, squared_norm
from zotheory.papers.shared.somewhere import SOMEWHERE, exact_somewhere
from zotheory.papers.svd0 import costs, lemma12, lemma13, one_block, sources, theorem1, variance
from zotheory.vocabulary import Statement

X, Y = sp.symbols("x y", positive=True)


def somewhere(formula: sp.Basic, value: sp.Expr, *domain: sp.Basic):
    check = exact_somewhere(lambda _: {Y: Derivation(value, ("y",))})
    statement = Statement("It does.", formula, domain, setting={SOMEWHERE: True})
    return check.judge(statement, Context("a.b", 0, BUDGETS["quick"], None, None, None))


def test_existence():
    """One point proves it; only a proof that there is none refutes it."""
    assert somewhere(sp.Lt(Y, 1), X).verdict == "proved"
    refuted = somewhere(sp.Lt(Y, 1), X + 1, sp.Ge(X, 0, evaluate=False))
    assert refuted.verdict == "refuted"
    assert refuted.certificate["actual"] >= refuted.certificate["claimed"]
    assert somewhere(sp.Lt(Y, 1), sp.S.One, sp.Ge(X, 0, evaluate=False)).verdict == "refuted"
    assert somewhere(sp.Le(Y, 1), sp.S.One, sp.Ge(X, 0, evaluate=False)).verdict == "proved"


def test_moments_are_those_of_the_cards():
    found = {k: v.value for k, v in variance._moments(None).items()}
    size = {M: 4, N: 5, R: 2}
    share, q = 0.2, 4
    assert float(found[variance.TRACES["SVD-0"]].subs(size)) == pytest.approx(6 * 0.2 - 0.04)
    assert float(found[variance.TRACES["MeZO"]].subs(size)) == 21
    assert float(found[variance.UNBIASED["SubZero"]].subs(size)) == pytest.approx(6 / share - 1)
    sampler = variance.Moments(("SVD-0", "SubZero", "MeZO"), 4, 5, 2)
    drawn = sampler(np.random.default_rng(0), 400_000)
    assert drawn.mean(axis=0) == pytest.approx([share * (q + 2), share * (q + 2), 22], rel=0.05)
    assert np.all(np.square(drawn).mean(axis=0) <= 1.1 * sampler.variances())


@pytest.mark.parametrize(("recipe", "method"), [("svd0", "SVD-0"), ("subzo", "SubZero")])
def test_reduced_norms_are_those_of_the_recipes(recipe, method):
    loss = Loss(3, 4, linear=(1.0, *[0.0] * 11))
    trained = MatrixEstimates(recipe, loss, squared_norm, (("rank", 1),))
    reduced = variance.Moments((method,), 3, 4, 1)(np.random.default_rng(1), 50_000)
    assert agree(trained(np.random.default_rng(0), 800), reduced)


def test_costs_by_hand():
    printed = costs.AsPrinted(3, 4)
    printed.step(0)
    assert (printed.passes, printed.held) == (6, 6)
    printed.step(1)
    assert (printed.passes, printed.held) == (6, 6)


def test_noise_and_sources_leave_the_share():
    for amount in (0.0, 2.0):
        shares = sources.NoisyShares(8, 6, 2, amount)(np.random.default_rng(0), 4000)
        assert shares.mean() == pytest.approx(4 / 48, rel=0.03)
    sampler = sources.SourceShares(6, 6, 2)
    shares = sampler(np.random.default_rng(0), 4000)
    assert shares.mean(axis=0) == pytest.approx(np.full(3, 4 / 36), rel=0.05)
    assert shares.max() <= sampler.largest + 1e-12


def test_the_noisy_share_can_be_something_else():
    """A G that the subspace knows of would be kept more: the statistic is no constant."""
    shares = sources.NoisyShares(8, 6, 2, 1.0)(np.random.default_rng(0), 500)
    assert shares.std() > 0.005


def test_the_excess_of_the_second_term():
    zero, root = theorem1.BOUND[0].statement, theorem1.BOUND[0].correction
    assert theorem1._excess(zero)[theorem1.EXCESS].lower == 3430
    assert theorem1._excess(root)[theorem1.EXCESS].upper == 1


def test_a_step_on_a_parabola_falls_as_the_search_says():
    problem = lemma12._fall_problem(lemma12.CLAIMS[1].statement)
    point = {"q": 3, "L1": 2.0, "eps": 0.3, "y": 1.0, "shape": 0.7, "kind": 0}
    a, eta, eps = 1.4, 1 / (4 * 7 * 2.0), 0.3
    z = np.random.default_rng(0).standard_normal((1_000_000, 3))
    y = np.array([1.0, 0.0, 0.0])
    slope = a / 2 * (np.square(y + eps * z).sum(axis=1) - 1) / eps
    moved = a / 2 * (np.square(y - eta * slope[:, None] * z).sum(axis=1) - 1)
    expected = moved.mean() + eta / 4 * a**2
    assert float(problem.sides(point).lhs) == pytest.approx(expected, abs=5 * moved.std() / 1e3)


def test_an_exchange_in_one_column_alone_does_not_carry_over():
    point = {"a00": 1, "a10": 0, "a20": 0, "a01": 1, "a11": 2, "a21": 0}
    assert lemma13._distance(point, alone=False) == 0
    assert lemma13._distance(point, alone=True) == 5  # u_2 = (0, 1, 0) in place of (2, 0, 0)


def test_only_the_right_order_gives_the_same_weights():
    assert one_block._gap("subzo", (4, 4), 2, ("V", "U")) < 1e-12
    assert one_block._gap("subzo", (4, 4), 2, ("U", "V")) > 1e-3
