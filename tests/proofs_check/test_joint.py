"""Several tensors with independent noise: what each adds to the Gaussian mean."""

import pytest
import sympy as sp

from proofs_check import falls, joint
from proofs_check.falls import FORM, NORM2, TRACE
from proofs_check.joint import excess, variance

NOTHING = dict.fromkeys(("rows", "columns", "swapped", "form", "diagonal", "whole"), 0)


@pytest.mark.parametrize(
    ("found", "s", "beyond"),
    [
        (falls.gaussian(), 1, {}),
        (falls.rademacher(), 1, {"diagonal": -2}),
        (falls.low_rank(3), 3, {"rows": 6, "columns": 6, "swapped": 6}),
        (
            falls.cp(3),
            3,
            {"rows": 18, "columns": 18, "swapped": 18, "form": 12, "whole": 6},
        ),
        (falls.random_mask(sp.Rational(1, 2)), sp.Rational(1, 2), {"diagonal": sp.Rational(3, 4)}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_known_values(found, s, beyond):
    assert variance(found) == s
    assert excess(found) == NOTHING | beyond


def test_full_frames_are_gaussian():
    assert excess(falls.subspace(4, 3, 3)) != NOTHING  # U of 4 x 3 is a proper subspace
    assert excess(falls.subspace(3, 3, 3)) == NOTHING


def test_what_is_beyond_makes_up_the_whole():
    found = falls.subspace(5, 4, 2)
    s, beyond = variance(found), excess(found)
    known = {name: getattr(falls, name.upper()) for name in ("rows", "columns", "swapped")}
    known |= {"form": FORM, "diagonal": falls.DIAGONAL, "whole": NORM2 * TRACE}
    total = s**2 * (NORM2 * TRACE + 2 * FORM) + sum(x * known[name] for name, x in beyond.items())
    assert sp.expand(total - found.curvature) == 0


def test_other_noise_is_refused():
    with pytest.raises(ValueError, match="no multiple of"):
        variance(falls.given())
    with pytest.raises(ArithmeticError, match="in no known invariant"):
        excess(falls.layers(4, 1))


def test_a_wrong_sum_over_tensors_is_seen(monkeypatch):
    joint._check.__wrapped__()
    monkeypatch.setattr(joint, "product", lambda tensors, repeat: [(0, 0, 0, 0)])
    with pytest.raises(ArithmeticError, match="another one"):
        joint._check.__wrapped__()
