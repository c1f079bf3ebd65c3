"""Bases of low-rank noise: linear maps from a few coordinates c to an m x n matrix of rank r.

The direction of a step and its moments live in coordinates; only the sum is ever expanded. All
factors are kept in the type of the weights, so that what is evaluated is what is written.
"""

from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor


class Basis(ABC):
    """A linear map c -> Z(c) = left(c) right(c)^T with left (m x r) and right (n x r)."""

    @abstractmethod
    def factors(self, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return (A, B) with Z(c) = A B^T."""

    @abstractmethod
    def act(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return (H, A) with x Z(c)^T = H A^T for activations x (tokens x n)."""

    @abstractmethod
    def rows(self, index: Tensor, c: Tensor) -> Tensor:
        """Return the rows of Z(c) with the given indices."""

    @abstractmethod
    def transport(self, c: Tensor, other: Self) -> Tensor:
        """Return the coordinates in `other` nearest to Z(c), for moments across a refresh."""


class CPBasis(Basis):
    """Z(c) = U diag(c) V^T: rank-one terms u_s v_s^T with weights c (r), as in TeZO."""

    def __init__(self, left: Tensor, right: Tensor) -> None:
        self.left = left
        self.right = right

    def factors(self, c: Tensor) -> tuple[Tensor, Tensor]:
        if len(self.left) < len(self.right):
            return self.left.to(c.dtype) * c, self.right
        return self.left, self.right.to(c.dtype) * c

    def act(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        return (x @ self.right).mul_(c.to(x.dtype)), self.left

    def rows(self, index: Tensor, c: Tensor) -> Tensor:
        return (self.left[index].to(c.dtype) * c) @ self.right.T.to(c.dtype)

    def transport(self, c: Tensor, other: Self) -> Tensor:
        """Least squares: the Gram matrix of the terms u_s v_s^T is (U^T U) * (V^T V)."""
        u, v, p, q = (t.to(c.dtype) for t in (self.left, self.right, other.left, other.right))
        gram = (p.T @ p) * (q.T @ q)
        return torch.linalg.lstsq(gram, (((p.T @ u) * (q.T @ v)) @ c)[:, None]).solution[:, 0]


class CoreBasis(Basis):
    """Z(c) = U c V^T with a core c (r x r), as in SubZO and SVD-0; U, V orthonormal."""

    def __init__(self, left: Tensor, right: Tensor) -> None:
        self.left = left
        self.right = right

    def factors(self, c: Tensor) -> tuple[Tensor, Tensor]:
        if len(self.left) < len(self.right):
            return self.left.to(c.dtype) @ c, self.right
        return self.left, self.right.to(c.dtype) @ c.T

    def act(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        return (x @ self.right) @ c.T.to(x.dtype), self.left

    def rows(self, index: Tensor, c: Tensor) -> Tensor:
        return self.left[index].to(c.dtype) @ c @ self.right.T.to(c.dtype)

    def transport(self, c: Tensor, other: Self) -> Tensor:
        u, v, p, q = (t.to(c.dtype) for t in (self.left, self.right, other.left, other.right))
        return (p.T @ u) @ c @ (v.T @ q)


class RightBasis(Basis):
    """Z(c) = c V^T with c (m x r), as in LOZO between refreshes of V (n x r)."""

    def __init__(self, right: Tensor) -> None:
        self.right = right

    def factors(self, c: Tensor) -> tuple[Tensor, Tensor]:
        return c, self.right

    def act(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        return x @ self.right, c.to(x.dtype)

    def rows(self, index: Tensor, c: Tensor) -> Tensor:
        return c[index] @ self.right.T.to(c.dtype)

    def transport(self, c: Tensor, other: Self) -> Tensor:
        """c V_old^T V_new / n: V^T V is close to n I for Gaussian V (LOZO-m, Sec. 3.3)."""
        old, new = self.right.to(c.dtype), other.right.to(c.dtype)
        return c @ (old.T @ new) / len(new)
