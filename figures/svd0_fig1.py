"""SVD-0 Fig. 1: cosines with true gradients before and after SVD, of estimates and of noise."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.style import NOISE, SERIES, claimed, intervals, legend_above, lettered, panels
from zotheory.papers import claim
from zotheory.vocabulary import Kind

CLAIM = "svd0.fig1.metric"
PRINTED = 0.4249  # Table 14, mean "After SVD"
STEPS = {"origin": "Origin", "top 24": "After SVD"}  # as the paper has them


def draw(data: Data) -> tuple[Figure, str]:
    """Quartiles over a model's matrices, estimate by estimate; the difference, layer by layer."""
    estimates = data.drawn(CLAIM, Kind.MODEL, "by estimate")
    layers = data.number(CLAIM, Kind.MODEL, "difference by layer, quartiles")
    low, high = data.number(CLAIM, Kind.MODEL, "interval")
    least = float(claim(CLAIM).statement.bound)

    figure, (cosines, gaps) = panels(1, 2, height=2.75, gridspec_kw={"width_ratios": (3, 2)})
    at = np.arange(1, len(estimates) + 1)
    for (step, name), look in zip(STEPS.items(), SERIES, strict=False):
        for of, shift, drawn in (("MeZO", -0.12, look), ("noise", 0.12, NOISE)):
            rows = np.array([estimate[step][of] for estimate in estimates])
            label = f"{name}, MeZO" if of == "MeZO" else "pure noise"
            intervals(cosines, at + shift, rows[:, 2], rows[:, [1, 3]], drawn, label)
    cosines.axhline(PRINTED, label="paper, After SVD", lw=0.9, **SERIES[4].on_line())
    cosines.set(xlabel="estimate", ylabel="cosine with the gradient", xticks=at)
    cosines.set_ylim(bottom=-0.05)

    rows = np.array(list(layers.values()))
    places = np.arange(len(layers))
    intervals(gaps, places, rows[:, 2], rows[:, [0, 4]], SERIES[1])
    intervals(gaps, [len(layers)], [(low + high) / 2], [(low, high)], SERIES[1])
    for side in (least, -least):
        claimed(gaps, side, f"claimed: beyond {least:g}", data.claim(CLAIM))
    names = [name.removeprefix("layer ") for name in layers]
    gaps.set(ylabel="MeZO less noise", xlabel="layer", ylim=(-1.3 * least, 1.3 * least))
    gaps.set(xticks=[*places, len(layers)], xlim=(-0.5, len(layers) + 0.5))
    gaps.set_xticklabels([*names, "all"])
    lettered((cosines, gaps), ("by estimate", "difference"))
    legend_above(figure, (cosines, gaps))
    return figure, (
        f"(a) Cosine between a MeZO estimate and the true gradient of a language model's matrices "
        f"('Origin'), and between the vectors of their 24 largest singular values ('After SVD'), "
        f"for {len(estimates)} estimates at the pretrained weights; beside each, pure Gaussian "
        f"noise in the estimate's place. Medians and quartiles over the matrices. Line: the mean "
        "that the paper prints, for another model.\n\n(b) "
        f"Difference of the two cosines after SVD: median, least and greatest over the matrices "
        f"of each layer; over all, the mean with its {LEVEL} Student interval over the estimates."
    )


PICTURE = Picture("svd0_fig1", "Cosines with true gradients before and after SVD", (CLAIM,), draw)

if __name__ == "__main__":
    main(PICTURE)
