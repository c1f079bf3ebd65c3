"""Stochastic gradient descent."""

from collections.abc import Sequence

from estimators.assignment import Assignment, assign
from estimators.noise import Noise
from estimators.updates.base import Job, Update


class SGD(Update):
    """w <- (1 - lr decay) w - lr g. Restoring and updating are one pass over the weights."""

    linear = True

    def write(self, jobs: Sequence[Job]) -> None:
        assignments = []
        for job in jobs:
            weights: dict[int, tuple[Noise, float]] = {}
            parts = [(job.scale * w, z) for w, z in job.restore]
            parts += [(-job.lr * w, z) for w, z in job.evaluated]
            for weight, noise in parts:
                _, total = weights.get(id(noise), (noise, 0.0))
                weights[id(noise)] = noise, total + weight
            terms = [(weight, noise) for noise, weight in weights.values() if weight]
            if terms or job.scale != 1.0:
                w = job.slot.matrix
                assignments.append(Assignment(job.slot, w, w, job.scale, terms, job.rounding))
        assign(assignments)
