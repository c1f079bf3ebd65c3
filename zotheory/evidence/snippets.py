"""Snippets that show a counterexample with nothing but numpy: claimed number, actual number."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent
from typing import Any

import sympy as sp

HEADER = "import itertools\n\nimport numpy as np\n\n"


def inputs(values: Mapping[str, Any]) -> str:
    """Assignments of a counterexample's inputs, exact."""
    return "".join(f"{name} = {_code(value)}\n" for name, value in values.items())


def gaussian_moment(
    values: Mapping[str, Any], claimed: sp.Expr, dimension: str, quantity: str, nodes: int = 12
) -> str:
    """A snippet for E q(x), x ~ N(0, I), q a polynomial of degree < 2 `nodes` in each coordinate.

    Args:
        values: the inputs, assigned first.
        claimed: the claimed number as an expression in the inputs.
        dimension: code for the dimension of x.
        quantity: code for q at the rows of `grid`, shape (points, dimension).
    """
    body = f"""
        claimed = {_code(claimed)}
        x, w = np.polynomial.hermite_e.hermegauss({nodes})  # exact up to degree {2 * nodes - 1}
        grid = np.array(list(itertools.product(x, repeat={dimension})))
        weight = np.prod(list(itertools.product(w / w.sum(), repeat={dimension})), axis=1)
        actual = weight @ ({quantity})
        print("claimed", float(claimed))
        print("actual", float(actual))
    """
    return HEADER + inputs(values) + dedent(body).lstrip("\n")


def _code(value: Any) -> str:
    return sp.pycode(sp.sympify(value)) if isinstance(value, sp.Basic) else repr(value)
