"""What the figures draw of a gradient study: small arrays, beside the numbers that decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from zotheory.model.gradients import Weight
    from zotheory.model.study import GradientStudy
    from zotheory.papers.tezo.measurements import RankCorrelation

TOP = 100  # singular values in the heat map of Fig. 1a
POSITIONS = 14  # of a curve over a whole spectrum, evenly spread on a logarithmic axis
QUARTILES = np.arange(5) / 4


def label(weight: Weight) -> str:
    """A matrix's name in a figure: ``layer 3 q_proj``."""
    return f"layer {weight.layer} {weight.module}"


def spectra(study: GradientStudy, weights: list[Weight]) -> dict[str, Any]:
    """Relative singular values of these matrices' gradients; one matrix, batch by batch.

    Keys: "by matrix", with the index, and median and greatest value over the batches; "by batch",
    with rows of relative singular values of one output projection, a middle layer's.
    """
    curves = {}
    for weight in weights:
        relative = _relative(study.spectra[weight.name])
        index = _spread(relative.shape[1], POSITIONS)
        rows = relative[:, index - 1]
        curves[label(weight)] = {
            "length": relative.shape[1],
            "index": index,
            "median": _rounded(np.median(rows, axis=0)),
            "max": _rounded(rows.max(axis=0)),
        }
    outputs = [w for w in weights if w.module in ("o_proj", "out_proj")] or weights
    shown = outputs[(len(outputs) - 1) // 2]
    relative = _relative(study.spectra[shown.name])
    index = _spread(min(TOP, relative.shape[1]), 2 * POSITIONS)
    by_batch = {
        "matrix": label(shown),
        "index": index,
        "relative singular values": _rounded(relative[:, index - 1]),
    }
    return {"by matrix": curves, "by batch": by_batch}


def counts(found: Mapping[Weight, np.ndarray]) -> dict[str, Any]:
    """By module and layer: quartiles over the batches of a number of singular values."""
    values: dict[str, Any] = {}
    for weight, row in found.items():
        quartiles = _rounded(np.quantile(row, QUARTILES), 2)
        values.setdefault(weight.module, {})[f"layer {weight.layer}"] = quartiles
    return values


def cosines(study: GradientStudy) -> dict[str, Any]:
    """The cosine of every pair of batches, mean over the matrices, below the diagonal."""
    mean = np.mean(list(study.cosines.values()), axis=0)
    return {
        "cosine of each pair": [_rounded(row[:t], 3) for t, row in enumerate(mean)][1:],
        "mean cosine of each matrix": {
            label(w): _mean_pair(study.cosines[w.name])
            for w in study.weights
            if w.name in study.cosines
        },
    }


def shares(study: GradientStudy) -> list:
    """Squared norm in the top k directions of a matrix's normalised gradients, stacked.

    Quartiles over the matrices, a row each, by k from 1 on.
    """
    held = [np.cumsum(values**2) / np.sum(values**2) for values in _stacks(study).values()]
    return _rounded(np.quantile(held, QUARTILES, axis=0))


def stacks(study: GradientStudy) -> dict[str, list]:
    """Singular values of each matrix's normalised gradients, stacked as columns."""
    return {name: _rounded(values, 3) for name, values in _stacks(study).items()}


def _stacks(study: GradientStudy) -> dict[str, np.ndarray]:
    from zotheory.model.gradients import singular_values_of_gram

    return {
        label(w): singular_values_of_gram(study.cosines[w.name])
        for w in study.weights
        if w.name in study.cosines
    }


def ranks(found: RankCorrelation) -> dict[str, Mapping[str, list]]:
    """By module: layers, ranks of the weights and mean ranks of their gradients."""
    modules = np.array(found.modules)
    return {
        module: {
            "layer": found.layers[modules == module].tolist(),
            "weight": found.weight_ranks[modules == module].tolist(),
            "gradient": np.round(found.gradient_ranks[modules == module], 2).tolist(),
        }
        for module in dict.fromkeys(found.modules)
    }


def _relative(values: np.ndarray) -> np.ndarray:
    return values / values[:, :1]


def _spread(length: int, count: int) -> np.ndarray:
    """Indices from 1 to `length`, about evenly spread on a logarithmic axis."""
    return np.unique(np.geomspace(1, length, count).round().astype(int))


def _mean_pair(matrix: np.ndarray) -> float:
    return round(float(matrix[np.tril_indices(len(matrix), -1)].mean()), 4)


def _rounded(values: np.ndarray, digits: int = 4) -> list:
    return np.round(values, digits).tolist()
