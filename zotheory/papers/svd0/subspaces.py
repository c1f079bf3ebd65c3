"""Samplers of subspaces P = V kron U: their projections, and what they keep of a gradient.

`Columns`, `Projections` and `Kept` draw through the code that trains; `Shares` and `Cosines` are
reduced: G = e_1 e_1^T, since all laws are invariant under orthogonal maps from either side, and an
average of k two-point estimates is drawn at once. With y_i = <G, Z_i>,

    sum_i y_i Z_i = ||y|| (||y|| G + W),   W Gaussian across G, ||y||^2 ~ chi^2_k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from estimators.perturbations.subspace import orthonormal
from zotheory.evidence.draws import SEEDS, Recipe
from zotheory.papers.shared.estimates import MatrixCosines
from zotheory.papers.shared.matrix_estimates import Loss, Options, bases, build


def _upper(matrices: np.ndarray) -> np.ndarray:
    """The upper triangles of symmetric matrices, row by row."""
    rows, columns = np.triu_indices(matrices.shape[-1])
    return matrices[..., rows, columns]


def upper_identity(size: int) -> np.ndarray:
    """The upper triangle of the identity, in the order of the samplers' columns."""
    return _upper(np.eye(size))


@dataclass(frozen=True)
class Columns:
    """Upper triangles of e_k e_k^T for the columns of a frame (n x r) of the subspace methods.

    together: of their sum Q Q^T alone.
    """

    n: int
    r: int
    together: bool = False

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows."""
        drawn = torch.from_numpy(rng.standard_normal((size, self.n, self.r)))
        frames = torch.stack([orthonormal(matrix) for matrix in drawn]).numpy()
        outer = np.einsum("bik,bjk->bkij", frames, frames)
        if self.together:
            outer = outer.sum(axis=1)
        return _upper(outer).reshape(size, -1)


@dataclass(frozen=True)
class Reshaped:
    """Whether a draw Z = U S V^T of a recipe breaks vec(Z) = P vec(S), and whether P^T P = I fails.

    P = left kron right, of the letters U and V. Two columns, 1.0 where the largest error exceeds
    1e-9.
    """

    recipe: str
    loss: Loss
    options: Options
    left: str = "V"
    right: str = "U"

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows."""
        optimizer, closure = build(self.recipe, self.loss, self.options, int(rng.integers(SEEDS)))
        optimizer.step(closure)
        (slot,) = optimizer.slots()
        rows = []
        for step in range(1, size + 1):
            noise = optimizer.perturbation.draw(slot, optimizer.seed, step, 0)
            frames = {"U": noise.basis.left.numpy(), "V": noise.basis.right.numpy()}
            p = np.kron(frames[self.left], frames[self.right])
            core, whole = (x.numpy().flatten("F") for x in (noise.coordinates, noise.dense()))
            errors = p @ core - whole, p.T @ p - np.eye(p.shape[1])
            rows.append([float(np.abs(error).max() > 1e-9) for error in errors])
        return np.array(rows)


@dataclass(frozen=True)
class Projections:
    """Upper triangles of P P^T = V V^T kron U U^T for the subspaces that a recipe draws."""

    recipe: str
    loss: Loss
    options: Options

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows."""
        drawn = bases(self.recipe, self.loss, self.options, rng, size)
        return np.stack([_upper(np.kron(v @ v.T, u @ u.T)) for u, v in drawn])


@dataclass(frozen=True)
class Kept:
    """||U^T G V||^2 / ||G||^2 for the subspaces that some recipes draw, one column a recipe."""

    recipes: tuple[str, ...]
    loss: Loss
    options: Options

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, values in [0, 1]."""
        gradient = self.loss.gradient()
        gradient /= np.linalg.norm(gradient)
        columns = [
            [
                np.square(u.T @ gradient @ v).sum()
                for u, v in bases(recipe, self.loss, self.options, rng, size)
            ]
            for recipe in self.recipes
        ]
        return np.stack(columns, axis=1).clip(0.0, 1.0)


def random_share(rng: np.random.Generator, size: int, m: int, n: int, r: int) -> np.ndarray:
    """||U^T G V||^2 for independent Haar frames: beta variables, by G = e_1 e_1^T."""
    return np.prod([_first_row(rng, size, d, r) for d in (m, n)], axis=0)


def _first_row(rng: np.random.Generator, size: int, d: int, r: int) -> np.ndarray:
    """The squared norm of r entries of a uniform unit vector in d dimensions."""
    inside = rng.chisquare(r, size)
    return inside / (inside + (rng.chisquare(d - r, size) if d > r else 0.0))


def leading_share(
    rng: np.random.Generator, size: int, m: int, n: int, r: int, queries: int
) -> np.ndarray:
    """||U^T G V||^2 for the leading singular vectors of `queries` estimates' average."""
    average = rng.standard_normal((size, m, n))
    average[:, 0, 0] = np.sqrt(rng.chisquare(queries, size))
    u, _, v = np.linalg.svd(average, full_matrices=False)
    return np.square(u[:, 0, :r]).sum(axis=1) * np.square(v[:, :r, 0]).sum(axis=1)


@dataclass(frozen=True)
class Shares:
    """||U^T G V||^2 / ||G||^2 for rank-one G: of a random subspace, and of Algorithm 1's.

    `queries` two-point estimates are averaged for the latter.
    """

    m: int
    n: int
    r: int
    queries: int = 1

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows (random, Algorithm 1), values in [0, 1]."""
        sizes = (self.m, self.n, self.r)
        columns = random_share(rng, size, *sizes), leading_share(rng, size, *sizes, self.queries)
        return np.stack(columns, axis=1).clip(0.0, 1.0)


@dataclass(frozen=True)
class LeadingShare:
    """The second column of `Shares` alone."""

    m: int
    n: int
    r: int
    queries: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values in [0, 1]."""
        return leading_share(rng, size, self.m, self.n, self.r, self.queries).clip(0.0, 1.0)


@dataclass(frozen=True)
class Cosines:
    """cos^2(G, estimate) of some recipes on a linear loss, one column a recipe; reduced."""

    recipes: tuple[str, ...]
    m: int
    n: int
    r: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, values in [0, 1]."""
        return np.stack([self._column(rng, size, recipe) for recipe in self.recipes], axis=1)

    def _column(self, rng: np.random.Generator, size: int, recipe: str) -> np.ndarray:
        """Within the subspace Z is an isotropic Gaussian, independent of what it keeps of G."""
        sizes = (self.m, self.n, self.r)
        if recipe == "mezo":
            return _first_row(rng, size, self.m * self.n, 1)
        draw = {"subzo": random_share, "svd0": leading_share}[recipe]
        share = draw(rng, size, *sizes, *((1,) if recipe == "svd0" else ()))
        return (share * _first_row(rng, size, self.r**2, 1)).clip(0.0, 1.0)


@dataclass(frozen=True)
class TrainedCosines:
    """The same through the code that trains, for a full-rank G."""

    recipes: tuple[str, ...]
    m: int
    n: int
    r: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, values in [0, 1]."""
        rank = (min(self.m, self.n),)
        columns = [
            MatrixCosines(self._named(recipe), self.m, self.n, rank)(rng, size)
            for recipe in self.recipes
        ]
        return np.hstack(columns).clip(0.0, 1.0)

    def _named(self, recipe: str) -> Recipe:
        return Recipe(recipe, () if recipe == "mezo" else (("rank", self.r),))
