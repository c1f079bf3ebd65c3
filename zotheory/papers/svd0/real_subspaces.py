"""What subspace methods keep of a real loss's gradients, matrix by matrix, through their own code.

Everything is in units of what rotation invariance gives: ||U^T G V||^2/||G||^2 of r^2/(mn), and
squared cosines of 1/(mn). `point` is a :class:`zotheory.model.points.Point`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

import estimators
from estimators.perturbations.svd_subspace import leading_vectors
from estimators.slots import Slot
from estimators.zeroth_order import ZerothOrder
from zotheory.evidence.draws import SEEDS, estimate

if TYPE_CHECKING:
    from zotheory.model.points import Point

BASES = {"SVD-0": 1, "SubZero": 4}  # subspaces drawn a refresh
CORES, NOISES = 32, 6  # draws within each subspace; of MeZO's noise
_RECIPES = {"SVD-0": "svd0", "SubZero": "subzo"}


def refresh(point: Point, rank: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """One refresh of every method: means over its draws, (matrices,) each.

    Keys "share of X" for X = SVD-0, SubZero, and "cos2 of X" for X = SVD-0, SubZero, MeZO. SVD-0's
    subspaces come from one two-point estimate, made with two forward passes of the point's loss.
    """
    found: dict[str, np.ndarray] = {}
    for method, count in BASES.items():
        drawn = np.array([_subspaces(method, point, rank, rng) for _ in range(count)])
        found[f"share of {method}"], found[f"cos2 of {method}"] = drawn.mean(axis=0).T
    optimizer = estimators.mezo(list(point.named), seed=int(rng.integers(SEEDS)))
    found["cos2 of MeZO"] = np.array([_noise(optimizer, s, point) for s in optimizer.slots()])
    return found


def _subspaces(
    method: str, point: Point, rank: int, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """(share, mean squared cosine) in one drawn subspace, for each matrix."""
    make = getattr(estimators, _RECIPES[method])
    optimizer = make(list(point.named), lr=0.0, rank=rank, seed=int(rng.integers(SEEDS)))
    optimizer.step(_first(2, point.loss) if method == "SVD-0" else lambda: 0.0)
    return [_within(optimizer, slot, point.gradients[slot.name]) for slot in optimizer.slots()]


def _first(calls: int, loss: Callable[[], Tensor]) -> Callable[[], float]:
    """The loss for so many calls, which make the subspace; 0 for the step that is not looked at."""
    left = calls

    def closure() -> float:
        nonlocal left
        left -= 1
        return float(loss()) if left >= 0 else 0.0

    return closure


def _within(optimizer: ZerothOrder, slot: Slot, gradient: Tensor) -> tuple[float, float]:
    """||U S V^T|| = ||S|| and <G, U S V^T> = <U^T G V, S>."""
    u, v = slot.state["U"].double(), slot.state["V"].double()
    gradient = gradient.double()
    core, square = u.T @ gradient @ v, float(gradient.square().sum())
    cores = [optimizer.perturbation.draw(slot, optimizer.seed, 1, q) for q in range(CORES)]
    cos2 = [_cos2(core, noise.coordinates.double(), square) for noise in cores]
    size, r = slot.m * slot.n, u.shape[1]
    return float(core.square().sum()) / square * size / r**2, float(np.mean(cos2)) * size


def _noise(optimizer: ZerothOrder, slot: Slot, point: Point) -> float:
    gradient = point.gradients[slot.name]
    square = float(gradient.double().square().sum())
    draws = (optimizer.perturbation.draw(slot, optimizer.seed, 1, q) for q in range(NOISES))
    cos2 = [_cos2(gradient, noise.dense(), square) for noise in draws]
    return float(np.mean(cos2)) * slot.m * slot.n


def _cos2(gradient: Tensor, drawn: Tensor, square: float) -> float:
    inner = float(torch.dot(gradient.flatten(), drawn.flatten()))
    return inner**2 / square / float(drawn.square().sum())


@dataclass(frozen=True)
class Spectra:
    """Cosines with the true gradients of one MeZO estimate, and of fresh noise.

    Attributes:
        origin: of the matrices themselves, (2, matrices): the estimate's, the noise's.
        after_svd: by number of singular values kept, of the vectors of these, shaped alike.
    """

    origin: np.ndarray
    after_svd: dict[int, np.ndarray]

    def gap(self, top: int) -> np.ndarray:
        """The estimate's cosine less the noise's, (matrices,)."""
        estimate, noise = self.after_svd[top]
        return estimate - noise


def spectra(point: Point, tops: Sequence[int], rng: np.random.Generator) -> Spectra:
    """cos(s(X), s(G)) of one MeZO estimate X and of noise; s: the largest singular values.

    The estimate is made with two forward passes.
    """
    optimizer = estimators.mezo(list(point.named), seed=0)
    found = estimate(optimizer, point.loss, int(rng.integers(SEEDS)))
    origin, after = [], {top: [] for top in tops}
    for name, gradient in point.gradients.items():
        noise = torch.from_numpy(rng.standard_normal(tuple(gradient.shape), dtype=np.float32))
        others = found[name], noise
        flat = [x.double().flatten().numpy() for x in (gradient, *others)]
        origin.append([_cosine(x, flat[0]) for x in flat[1:]])
        true, *values = (_largest(x, max(tops)) for x in (gradient, *others))
        for top, cosines in after.items():
            cosines.append([_cosine(x[:top], true[:top]) for x in values])
    return Spectra(np.array(origin).T, {top: np.array(c).T for top, c in after.items()})


def _largest(matrix: Tensor, top: int) -> np.ndarray:
    from zotheory.model.gradients import gram, singular_values_of_gram

    return singular_values_of_gram(gram(matrix))[:top]


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def averaged_share(gradient: Tensor, k: int, rank: int, rng: np.random.Generator) -> float:
    """||U^T G V||^2/||G||^2 for U, V of the average of k two-point estimates on <G, W>.

    Reduced: sum_i y_i Z_i = ||y|| (||y|| g + W), g = G/||G||, W Gaussian across g, ||y||^2 a
    chi-square with k degrees of freedom.
    """
    g = gradient.double() / gradient.double().norm()
    noise = torch.from_numpy(rng.standard_normal(tuple(g.shape)))
    across = noise - (noise * g).sum() * g
    u, v = leading_vectors((np.sqrt(rng.chisquare(k)) * g + across).float(), rank)
    return min(1.0, float((u.double().T @ g @ v.double()).square().sum()))
