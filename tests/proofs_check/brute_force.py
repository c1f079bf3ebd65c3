"""An independent second way to a Gaussian expectation: write out all coordinates.

The product is expanded as a polynomial in the individual entries at small integer dimensions and
every monomial is integrated with the univariate moments (k-1)!!.
"""

from itertools import product as cartesian
from math import prod

import sympy as sp

from proofs_check.tensors import Fixed, TensorSum


def brute_force(total: TensorSum, values: dict, fixed: dict, distinct=()) -> sp.Expr:
    """E of ``total`` with dimensions ``values`` and fixed tensors ``fixed[name][indices]``."""
    result = sp.S.Zero
    for coefficient, factors in total.terms:
        indices = list(dict.fromkeys(i for f in factors for i in f.indices))
        ranges = [range(int(i.dimension.subs(values))) for i in indices]
        for point in cartesian(*ranges):
            at = dict(zip(indices, point, strict=True))
            if any(at[a] == at[b] for a, b in distinct):
                continue
            result += coefficient.subs(values) * _summand(factors, at, fixed)
    return result


def _summand(factors, at, fixed):
    powers, value = {}, 1
    for factor in factors:
        place = tuple(at[i] for i in factor.indices)
        if isinstance(factor.tensor, Fixed):
            value *= fixed[factor.tensor.name][place]
        else:
            key = factor.tensor.name, place
            powers[key] = powers.get(key, 0) + 1
    return value * prod(0 if k % 2 else prod(range(k - 1, 0, -2)) for k in powers.values())
