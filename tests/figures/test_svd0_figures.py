"""SVD-0's figures show the ledger's numbers."""

import numpy as np
import pytest

from figures import svd0_fig1, svd0_table13, svd0_table14, svd0_table15, svd0_table16
from tests.figures.reading import ends, lines, points
from zotheory.vocabulary import Kind

METRIC = "svd0.fig1.metric"


def test_table15_shows_the_intervals_of_the_ledger(drawing, data):
    _, measured = drawing("svd0_table15")[0].axes
    bounds = [
        data.number(svd0_table15.CLAIM, Kind.MODEL, f"cos2 of {name}", "interval")
        for name in svd0_table15.METHODS
    ]
    assert ends(measured)[0] == pytest.approx(np.array(bounds))
    assert points(measured)[0][:, 1] == pytest.approx(np.mean(bounds, axis=1))


def test_table15_moves_with_the_ledger(drawing, changed):
    def edit(entry):
        (model,) = (e for e in entry["evidence"] if e["kind"] == "model")
        model["numbers"]["cos2 of SVD-0"]["interval"] = [2.0, 3.0]
        entry["verdict"] = "confirmed"

    figure, _ = drawing("svd0_table15", changed(svd0_table15.CLAIM, edit))
    assert points(figure.axes[1])[0][2, 1] == 2.5
    assert "printed order (confirmed)" in lines(figure.axes[0])


def test_the_middle_of_equal_values_is_anywhere():
    found = svd0_table15.middles(np.random.default_rng(0), 20_000)
    assert found.min() >= 0
    assert found.max() <= 1
    assert found.mean() == pytest.approx(0.5, abs=0.01)


def test_fig1_shows_every_estimate_beside_noise(drawing, data):
    cosines, gaps = drawing("svd0_fig1")[0].axes
    estimates = data.drawn(METRIC, Kind.MODEL, "by estimate")
    series = points(cosines)
    order = [(step, of) for step in svd0_fig1.STEPS for of in ("MeZO", "noise")]
    for found, (step, of) in zip(series, order, strict=True):
        assert found[:, 1] == pytest.approx([e[step][of][2] for e in estimates])
    interval = data.number(METRIC, Kind.MODEL, "interval")
    assert ends(gaps)[1][0] == pytest.approx(interval)
    assert "claimed: beyond 0.05 (refuted)" in lines(gaps)


def test_table13_shows_every_rank_and_batch_size(drawing, data):
    axes = drawing("svd0_table13")[0].axes
    found = data.drawn(METRIC, Kind.MODEL, "by batch size")
    for ax, rank in zip(axes, svd0_table13.PRINTED, strict=True):
        for series, of in zip(points(ax), ("MeZO", "noise"), strict=True):
            expected = [found[str(b)][f"top {rank}"][of][2] for b in svd0_table13.BATCH_SIZES]
            assert series[:, 1] == pytest.approx(expected)


def test_table14_knows_what_unrelated_directions_give():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 400, 2_048))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = np.einsum("ij,ij->i", a, b) / norms
    one_column = svd0_table14.spread("PCA") * np.sqrt(svd0_table14.RANK)
    assert cosines.std() == pytest.approx(one_column, rel=0.1)


def test_table14_shows_the_ledgers_noise(drawing, data):
    means, _ = drawing("svd0_table14")[0].axes
    noise = [e["top 24"]["noise"] for e in data.drawn(METRIC, Kind.MODEL, "by estimate")]
    assert points(means)[-1][0, 0] == pytest.approx(np.median(noise, axis=0)[2])


@pytest.mark.parametrize("name", svd0_table16.PRINTED)
def test_table16_samples_what_the_card_says(name):
    found = svd0_table16.variances(np.random.default_rng(0), name, 400)
    error = found.std() / np.sqrt(len(found))
    assert found.mean() == pytest.approx(svd0_table16.relative(name), abs=5 * error)
    assert error < 0.01 * found.mean()


def test_table16_is_that_of_the_formula():
    width, rank = svd0_table16.WIDTH, svd0_table16.RANK
    expected = width**2 * (rank**2 + 2) / rank**2 - 1
    assert svd0_table16.relative("SVD-0") == pytest.approx(expected)
    assert svd0_table16.relative("MeZO") == width**2 + 1
