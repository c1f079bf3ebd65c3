"""Notation: tensors, indices, and sums of products of tensor entries.

Every index is summed *once* over its range ``1..dimension``, however many times it occurs in a
term (a "hyper-index"): ``G[i, j] * G[i, j] * u[s, i]`` means ``sum_{i,j,s} G_ij^2 u_si``. There
are no free indices: contract with a fixed test tensor instead. Two consequences to keep in mind:

- an index is summed in a term only if it occurs there, so ``1 + x[i]`` is ``1 + sum_i x_i``;
- a square needs *fresh* indices for its second copy: ``y * y.fresh()`` is ``(sum_i x_i)^2``
  where ``y * y`` is ``sum_i x_i^2``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

import sympy as sp


class Index:
    """A summation index over ``1..dimension``; two objects are two indices, whatever their name."""

    __slots__ = ("dimension", "name")

    def __init__(self, name: str, dimension: sp.Expr | int) -> None:
        self.name = name
        self.dimension = sp.sympify(dimension)
        size = self.dimension
        if size.is_number and not (size.is_integer and size.is_positive):
            raise ValueError(f"index {name}: dimension must be a positive integer, not {size}")

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class _Tensor:
    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w+'*", self.name):
            raise ValueError(f"not a tensor name: {self.name!r}")

    def __getitem__(self, indices: Index | tuple[Index, ...]) -> TensorSum:
        assert isinstance(self, Gaussian | Fixed)
        indices = indices if isinstance(indices, tuple) else (indices,)
        for index in indices:
            if not isinstance(index, Index):
                raise TypeError(f"{self.name}: {index!r} is not an Index")
        return TensorSum(((sp.S.One, (Factor(self, indices),)),))


@dataclass(frozen=True)
class Gaussian(_Tensor):
    """A tensor of iid N(0, 1) entries; tensors of different names are independent."""


@dataclass(frozen=True)
class Fixed(_Tensor):
    """A deterministic tensor; ``symmetric``: invariant under all permutations of its indices."""

    symmetric: bool = False


@dataclass(frozen=True)
class Factor:
    """One entry of a tensor, such as ``u[s, i]``."""

    tensor: Gaussian | Fixed
    indices: tuple[Index, ...]

    def __repr__(self) -> str:
        return f"{self.tensor.name}[{','.join(i.name for i in self.indices)}]"


Term = tuple[sp.Expr, tuple[Factor, ...]]


@dataclass(frozen=True)
class TensorSum:
    """``sum_k c_k * (product of entries)``, every index summed; c_k are SymPy expressions.

    Supports ``+``, ``-`` and ``*`` with numbers, SymPy expressions and other sums, and ``/`` by
    numbers and SymPy expressions.
    """

    terms: tuple[Term, ...]

    def __add__(self, other: TensorSum | sp.Expr | int) -> TensorSum:
        return TensorSum(self.terms + as_sum(other).terms)

    def __mul__(self, other: TensorSum | sp.Expr | int) -> TensorSum:
        pairs = ((a, b) for a in self.terms for b in as_sum(other).terms)
        return TensorSum(tuple((c * d, f + g) for (c, f), (d, g) in pairs))

    __radd__ = __add__
    __rmul__ = __mul__

    def __truediv__(self, other: sp.Expr | int) -> TensorSum:
        return self * (1 / sp.sympify(other, strict=True))

    def __neg__(self) -> TensorSum:
        return self * -1

    def __sub__(self, other: TensorSum | sp.Expr | int) -> TensorSum:
        return self + as_sum(other) * -1

    def __rsub__(self, other: TensorSum | sp.Expr | int) -> TensorSum:
        return as_sum(other) - self

    def fresh(self, *keep: Index) -> TensorSum:
        """The same sum with every index renamed to a new one, except those in ``keep``."""
        new: dict[Index, Index] = {index: index for index in keep}
        for index in self.indices():
            new.setdefault(index, Index(index.name + "'", index.dimension))
        return TensorSum(
            tuple(
                (c, tuple(Factor(f.tensor, tuple(new[i] for i in f.indices)) for f in factors))
                for c, factors in self.terms
            )
        )

    def indices(self) -> list[Index]:
        """The indices in order of first appearance."""
        seen = (i for _, factors in self.terms for f in factors for i in f.indices)
        return list(dict.fromkeys(seen))

    def __repr__(self) -> str:
        return " + ".join(
            " ".join(([str(c)] if c != 1 or not f else []) + [repr(x) for x in f])
            for c, f in self.terms
        )


Product: TypeAlias = TensorSum | sp.Expr | int | tuple["Product", ...] | list["Product"]


def as_sum(value: Product) -> TensorSum:
    """A number or SymPy expression as a constant sum; a (nested) tuple or list as a product."""
    if isinstance(value, TensorSum):
        return value
    if isinstance(value, tuple | list):
        product = as_sum(1)
        for part in value:
            product = product * as_sum(part)
        return product
    value = sp.sympify(value, strict=True)
    if value.has(sp.Float):
        raise ValueError(f"coefficients are exact; {value} has a floating-point number")
    return TensorSum(((value, ()),))
