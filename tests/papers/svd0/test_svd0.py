"""SVD-0's claims on a model say both yes and no without it, too; Eq. 23 is seen to fail."""

import numpy as np
import pytest

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.montecarlo import MonteCarlo
from zotheory.papers.svd0.claims import CLAIMS
from zotheory.papers.svd0.convergence import NORM2, ONE_BLOCK, D, F, Q
from zotheory.vocabulary import Kind

ON_MODEL = {claim.id: claim for claim in CLAIMS if Kind.MODEL in claim.needs}


@pytest.fixture
def found(tmp_path):
    """The verdicts of the checks that need no model, on one statement of a claim."""

    def judged(claim, statement) -> dict[str, str]:
        context = Context(
            claim.id, 0, BUDGETS["quick"], MonteCarlo(0, store=tmp_path), None, tmp_path
        )
        checks = [check for check in claim.checks if check.kind is not Kind.MODEL]
        return {check.kind: check.judge(statement, context).verdict for check in checks}

    return judged


@pytest.mark.slow
@pytest.mark.parametrize("id", ON_MODEL)
def test_written_checks_refute_and_hold(id, found):
    claim = ON_MODEL[id]
    verdicts = found(claim, claim.statement)
    held = claim.mutant is not None
    assert all(verdict.holds is held and verdict.judged for verdict in verdicts.values())
    controls = found(claim, claim.mutant or claim.correction)
    assert all(verdict.holds is not held and verdict.judged for verdict in controls.values())


def test_one_long_block_exceeds_the_bound_of_eq23():
    """The method on ||x||^2/2 with one subspace: mean squared gradient of T steps, 400 runs."""
    d, q, steps, runs = 4, 1, 800, 400
    rng = np.random.default_rng(0)
    p = np.linalg.qr(rng.standard_normal((runs, d, q)))[0]
    x = np.zeros((runs, d))
    x[:, 0] = 1.0
    total = np.zeros(runs)
    for _ in range(steps):
        total += np.square(x).sum(axis=1)
        z = np.einsum("bij,bj->bi", p, rng.standard_normal((runs, q)))
        x -= np.einsum("bi,bi->b", x, z)[:, None] * z / (4 * (q + 4))
    mean = (total / steps).mean()
    claimed = float(ONE_BLOCK.subs({D: d, Q: q, F: steps, NORM2: 1}))
    assert mean > 3 * claimed
    assert mean == pytest.approx(1 - q / d, abs=0.06)
