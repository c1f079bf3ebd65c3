"""TeZO's figures show the ledger's numbers."""

import numpy as np
import pytest

from figures import tezo_a2, tezo_fig1, tezo_fig5, tezo_fig6, tezo_fig8, trained
from figures.data import Data, MissingData
from figures.picture import pictures
from tests.figures.reading import ends, lines, points
from tests.figures.training_rows import METHODS, STEPS
from zotheory.papers.tezo.memory import GIB
from zotheory.papers.tezo.second_moment import BETA2, RANK
from zotheory.papers.tezo.second_moment import STEPS as ADAM_STEPS
from zotheory.vocabulary import DRAWN, Kind


def test_fig1_shows_one_gradient_a_batch(drawing, data):
    one = drawing("tezo_fig1")[0].axes[0]
    found = data.drawn(tezo_fig1.RANK, Kind.MODEL, "by batch")
    (mesh,) = one.collections
    values = np.array(found["relative singular values"]).T
    assert np.asarray(mesh.get_array()) == pytest.approx(values.clip(1e-9))


def test_fig1_shows_the_counted_memory(drawing, data):
    memory = drawing("tezo_fig1")[0].axes[3]
    widths = [patch.get_width() for patch in memory.patches[:3]]
    at = "model = OPT-13B, MeZO's step = in place, r_max = 8"
    peaks = data.number(tezo_fig1.BELOW, Kind.COUNTED, "counts", at)
    assert widths[:2] == pytest.approx([peaks["MeZO"] / GIB, peaks["TeZO-Adam"] / GIB])
    band = memory.patches[3]
    assert band.get_x() / widths[2] == pytest.approx(0.3)
    assert (band.get_x() + band.get_width()) / widths[2] == pytest.approx(0.4)


def test_fig5_shows_every_spectrum(drawing, data):
    axes = drawing("tezo_fig5")[0].axes
    found = data.number(tezo_fig5.CLAIM, Kind.MODEL, DRAWN)
    drawn = {
        (ax.get_title("left").split()[-1], name): xy
        for ax in axes
        for name, xy in lines(ax).items()
    }
    for name, curve in found["by matrix"].items():
        _, layer, module = name.split()
        xy = drawn[module, f"layer {layer}"]
        assert xy[:, 0].tolist() == curve["index"]
        assert xy[:, 1] == pytest.approx(curve["median"])
    numbers = lines(axes[-1])
    for module, layers in found["numbers"].items():
        assert numbers[module][:, 1] == pytest.approx([row[2] for row in layers.values()])


def test_fig6_shows_every_pair(drawing, data):
    axes = drawing("tezo_fig6")[0].axes
    images = [ax.get_images()[0].get_array() for ax in axes if ax.get_images()]
    runs = [(claim, run) for claim, some in tezo_fig6.RUNS.items() for run in some]
    for image, (claim, run) in zip(images, runs, strict=True):
        rows = data.drawn(claim, Kind.MODEL, str(run), "cosine of each pair")
        below = image[np.tril_indices(len(image), -1)]
        assert np.array(below) == pytest.approx(np.concatenate(rows))
        assert np.array(image) == pytest.approx(np.array(image).T)
        mean = data.number(claim, Kind.MODEL, str(run), "mean cosine")
        assert np.mean(below) == pytest.approx(mean, abs=1e-3)  # rounded in the ledger


def test_fig7_shows_every_matrix(drawing, data):
    ranks, rhos = drawing("tezo_fig7")[0].axes
    modules = data.drawn("tezo.fig7.rank_correlation", Kind.MODEL, "threshold 25%")
    for module, found in modules.items():
        xy = lines(ranks)[module]
        assert xy == pytest.approx(np.transpose([found["weight"], found["gradient"]]))
    rho = data.number("tezo.fig7.rank_correlation", Kind.MODEL, "threshold 25%", "correlation")
    assert ends(rhos)[0][0] == pytest.approx([rho, rho])


def test_fig8_draws_the_ledgers_points_on_the_exact_lines(drawing, data):
    _, sizes = drawing("tezo_fig8")[0].axes
    averaged, each = points(sizes)
    assert averaged[:, 0].tolist() == list(tezo_fig8.SIZES)
    norm = np.sqrt(tezo_fig8.weights2(ADAM_STEPS))
    found = data.number(tezo_fig8.AVERAGED, Kind.MEASURED, "m=n=256 to 512")["estimate"][0]
    assert averaged[-1, 1] == pytest.approx(np.sqrt(found) * norm / RANK)
    assert each[:, 1] == pytest.approx(tezo_fig8.each() * norm, rel=0.05)
    low, high = ends(sizes)[0].T
    exact = tezo_fig8.averaged(averaged[:, 0]) * norm / RANK
    assert np.all((low < exact) & (exact < high))


def test_fig8_runs_have_the_exact_root_mean_square():
    weights = (1 - BETA2) * BETA2 ** np.arange(50)
    assert tezo_fig8.weights2(50) == pytest.approx(np.sum(weights**2))
    rng, size = np.random.default_rng(0), 16
    last = np.array([tezo_fig8.run(rng, size)[[300, 600, 999]] for _ in range(300)])
    squares = np.mean(last**2, axis=1) / tezo_fig8.weights2(ADAM_STEPS)
    error = squares.std() / np.sqrt(len(squares))
    assert squares.mean() == pytest.approx(float(tezo_fig8.averaged(size)) ** 2, abs=5 * error)
    assert tezo_fig8.running(np.full(250, 2.0)) == pytest.approx(np.full(250, 2.0))


def test_the_cross_term_is_as_large_as_the_ledger_says(drawing, data):
    _, averaged = drawing("tezo_a2")[0].axes
    found = data.number(tezo_a2.COORDINATE, Kind.MEASURED, "r=64")
    assert points(averaged)[0][0, 1] == pytest.approx(np.sqrt(found["estimate"]))
    assert tezo_a2.rms(64, np.array([1.0]))[0] == pytest.approx(np.sqrt(2 * 63 / 64))
    separable, cross = tezo_a2.drawn(np.random.default_rng(0), 200_000, 8)
    assert separable.mean() == pytest.approx(8, rel=0.03)
    assert np.sqrt(np.mean(cross**2)) / 8 == pytest.approx(np.sqrt(2 * 7 / 8), rel=0.1)


def test_fig4_shows_the_rows_of_training(drawing):
    sgd, adam = drawing("tezo_fig4")[0].axes
    for ax, name, method in ((sgd, "TeZO", "tezo"), (adam, "TeZO-Adam", "tezo_adam")):
        xy = lines(ax)[name]
        assert xy[:, 0].tolist() == STEPS[1:].tolist()
        seeds = [1 + np.exp(-(METHODS[method] + 0.01 * s) * STEPS[1:] / 100) for s in range(2)]
        assert xy[:, 1] == pytest.approx(np.mean(seeds, axis=0))
    assert lines(adam)["MeZO again"] == pytest.approx(lines(sgd)["MeZO"])


def test_without_rows_of_training_one_line_says_how_to_make_them(data, tmp_path):
    empty = Data(data.ledger, "quick", tmp_path)
    with pytest.raises(MissingData, match="makes them"):
        next(pictures(["tezo_fig4"])).write(empty, tmp_path / "out")
    with pytest.raises(MissingData, match=r"no runs of mezo and nothing"):
        trained.runs(data, ["mezo", "nothing"])
