"""The figures of MeZO-GV and MeZO-Greedy show what the claims' evidence holds."""

import math

import numpy as np
import pytest

from figures import prior_fig4, prior_passes
from figures.prior_table5 import CANDIDATES, NAMES, RATIOS, claimed, exact
from tests.figures.reading import ends, points
from zotheory.papers.own.gv_break_even import break_even
from zotheory.papers.prior.quantities import DIMENSION, SETTINGS
from zotheory.vocabulary import Kind


@pytest.mark.parametrize(("k", "s"), SETTINGS)
def test_exact_and_printed_ratios_are_those_of_the_ledger(data, k, s):
    greedy = data.number("prior.lemma3.ratio2", Kind.EXACT, "points", f"k = {k}")
    assert exact("greedy", "ratio 2", k) == pytest.approx(greedy["E[Y_(1)^2]"])
    assert claimed("greedy", "ratio 2", k) == pytest.approx(greedy["2 log k"])
    at = f"k = {k}, s = {s}"
    guided = data.number("prior.lemma4.ratio2", Kind.EXACT, "points", at)
    assert exact("guided", "ratio 2", k) == pytest.approx(guided["E||V_par||/||g||"])
    assert claimed("guided", "ratio 2", k) == pytest.approx(guided["8 s log k"])
    at += f", d = {DIMENSION}"
    guided = data.number("prior.lemma4.ratio1", Kind.EXACT, "points", at)
    expected = guided["E||V_par||/||V_perp||"] * math.sqrt(DIMENSION - 1)
    assert exact("guided", "ratio 1", k) == pytest.approx(expected, rel=1e-4)
    assert exact("guided", "ratio 1", k) / claimed("guided", "ratio 1", k) == pytest.approx(
        guided["mean of the ratio over the printed value"], rel=1e-4
    )
    least = data.number("prior.lemma3.minimum", Kind.EXACT, "points", f"k = {k}")
    assert exact("greedy", "ratio 1", k) == pytest.approx(least["E|Y_(1)|"], rel=1e-4)
    assert claimed("greedy", "ratio 1", k) == pytest.approx(least["sqrt(2 log k)"])


def test_plain_ratios_are_those_of_lemma_2(data):
    large = data.number("prior.lemma2.ratio1_large", Kind.EXACT)
    ((_, found),) = large.items()
    quotient = exact("plain", "ratio 1", 64) / claimed("plain", "ratio 1", 64)
    assert quotient == pytest.approx(found["mean of the ratio over the printed value"], rel=1e-4)
    assert claimed("plain", "ratio 2", 64) == exact("plain", "ratio 2", 64) == 1


def test_table5_draws_the_ledgers_points_and_the_exact_lines(drawing, data):
    axes = drawing("prior_table5")[0].axes
    for ax, which in zip(axes, RATIOS, strict=True):
        for method, series, bounds in zip(NAMES, points(ax), ends(ax), strict=True):
            for (k, value), (low, high) in zip(series, bounds, strict=True):
                assert low <= exact(method, which, int(k)) <= high
                assert low <= value <= high
    found = data.number("prior.lemma4.ratio2", Kind.MEASURED, "k=4 s=2")
    assert points(axes[1])[2][1, 1] == found["estimate"]
    drawn = [line.get_ydata() for line in axes[1].get_lines()]
    expected = [exact("guided", "ratio 2", k) for k in CANDIDATES]
    assert any(len(y) == len(expected) and np.allclose(y, expected) for y in drawn)


def test_a_pass_buys_what_the_ledger_says(data):
    for method, claim in prior_passes.CLAIMS.items():
        limits = list(data.number(claim, Kind.EXACT, "limit of d E cos^2").values())
        spent = data.number(claim, Kind.EXACT, "forward passes")
        assert prior_passes.selected(method, 4) * spent == pytest.approx(limits[0])
        assert prior_passes.two_point(4) * spent == pytest.approx(limits[1])


def test_guiding_is_ahead_of_two_point_differences_from_the_break_even_on():
    least = int(break_even().value)
    ahead = {k: prior_passes.selected("guided", k) > prior_passes.two_point(k) for k in CANDIDATES}
    assert ahead == {k: k >= least for k in CANDIDATES}


def test_what_a_pass_buys_is_measured_where_it_is_exact(drawing):
    (ax,) = drawing("prior_passes")[0].axes
    for method, series, bounds in zip(prior_passes.CLAIMS, points(ax), ends(ax), strict=True):
        exact_values = [prior_passes.selected(method, int(k)) for k, _ in series]
        assert (bounds[:, 0] <= exact_values).all()
        assert (exact_values <= bounds[:, 1]).all()


def test_fig4_draws_the_quartiles_of_every_layer(drawing, data):
    (ax,) = drawing("prior_fig4")[0].axes
    layers = data.number(prior_fig4.CLAIM, Kind.MODEL)
    medians = [line.get_ydata()[0] for line in ax.get_lines() if len(line.get_xdata()) == 2]
    means = [y for line in ax.get_lines() if line.get_marker() == "D" for y in line.get_ydata()]
    for row in layers.values():
        for method in prior_fig4.METHODS:
            assert row[prior_fig4.QUARTILES[method]][2] in medians
            assert prior_fig4.mean(row, method) in means
    assert [text.get_text() for text in ax.get_xticklabels()] == [n.split(".")[-1] for n in layers]
