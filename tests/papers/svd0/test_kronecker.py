import numpy as np
import sympy as sp

from proofs_check.results import Proved, Violated
from zotheory.papers.svd0.estimate import vec, vec_identity


def test_vec_stacks_columns():
    assert list(vec(sp.Matrix([[1, 2], [3, 4]]))) == [1, 3, 2, 4]


def test_the_identity_holds_in_one_order_only():
    assert isinstance(vec_identity("V", "U"), Proved)
    assert isinstance(vec_identity("U", "V"), Violated)


def test_the_violation_is_one():
    """The entry at the reported place, with the frames that the docstring names."""
    found = vec_identity("U", "V")
    m, n, r, place = _sizes(found)
    u, v = np.eye(m)[:, :r], np.eye(n)[:, :r]
    core = 1 + np.arange(r * r).reshape(r, r)
    assert (u @ core @ v.T).flatten("F")[place] == float(found.lhs)
    assert (np.kron(u, v) @ core.flatten("F"))[place] == float(found.rhs)
    assert (np.kron(v, u) @ core.flatten("F"))[place] == float(found.lhs)


def _sizes(found: Violated) -> tuple[int, ...]:
    by_name = {symbol.name: int(value) for symbol, value in found.point.items()}
    return tuple(by_name[name] for name in ("m", "n", "r", "place"))
