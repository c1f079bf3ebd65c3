"""Sparse-MeZO's figures show the ledger's numbers, and rows of training."""

from dataclasses import replace

import numpy as np
import pytest

from figures import smezo_fig2b, smezo_fig2c, smezo_fig3, smezo_shares
from figures.data import MissingData
from figures.trained import runs
from tests.figures.reading import ends, lines, points
from zotheory.papers.own.value_projections import BATCHES
from zotheory.papers.smezo.batches import DRAWS, NAMES, NORMS
from zotheory.training.rows import dump, read_rows
from zotheory.vocabulary import Kind


def test_fig2b_shows_what_is_not_lowered(drawing, data):
    own, other = drawing("smezo_fig2b")[0].axes
    one_point = [line for line in own.get_lines() if len(line.get_xdata()) == 1]
    for loss, bounds in zip(NAMES, ends(own), strict=True):
        share = data.number(smezo_fig2b.OWN, Kind.MODEL, "share", loss)
        assert any(line.get_ydata() == pytest.approx([100 - 100 * share]) for line in one_point)
        low, high = data.number(smezo_fig2b.OWN, Kind.MODEL, "interval", loss)
        assert bounds[0] == pytest.approx([100 - 100 * high, 100 - 100 * low])
        draws = data.drawn(smezo_fig2b.OWN, Kind.MODEL, "draws by pair")
        pairs = smezo_fig2b.by_pair(data, loss)
        assert np.average(pairs, weights=draws) == pytest.approx(100 - 100 * share)
    held_out, more, counted = (series[0, 1] for series in points(other))
    means = {}
    for claim in (smezo_fig2b.OTHER, smezo_fig2b.MORE):
        found = [
            data.number(claim, Kind.MODEL, f"after {step} steps", "mean")
            for step in smezo_fig2b.steps(data, claim)
        ]
        assert len(found) >= 4
        means[claim] = 100 * np.mean(found)
    assert held_out == pytest.approx(100 - means[smezo_fig2b.OTHER])
    assert more == pytest.approx(means[smezo_fig2b.MORE])
    share = data.number(smezo_fig2b.COUNTED, Kind.MODEL, "counted share", NAMES[0])
    assert counted == pytest.approx(100 - 100 * share)
    dots = [y for line in other.get_lines() for y in line.get_ydata() if line.get_marker() == "."]
    low, high = other.get_ylim()
    assert low < min(dots) <= max(dots) < high  # none is cut off


def test_fig2b_tells_how_far_other_batches_may_lie(data):
    for claim in (smezo_fig2b.OTHER, smezo_fig2b.MORE):
        value, (low, high) = smezo_fig2b.average(data, claim)
        assert low < value - 3 < value + 3 < high


def test_fig2b_lists_steps_in_words():
    assert smezo_fig2b._listed((10, 11, 12, 44)) == "after 10 to 12 and 44 steps"
    assert smezo_fig2b._listed((0, 11, 22)) == "after 0, 11 and 22 steps"
    assert smezo_fig2b._listed(range(10, 45)) == "after 10 to 44 steps"


def test_shares_are_the_ledgers_and_make_up_the_whole(drawing, data):
    by_size, by_matrix = drawing("smezo_shares")[0].axes
    even = smezo_shares.entries(data)
    series = points(by_size)
    for i, place in enumerate(smezo_shares.PLACES):
        smallest, others = series[2 * i][0, 1] * even, series[2 * i + 1][0, 1] * (1 - even)
        assert smallest == pytest.approx(np.mean(smezo_shares.shares(data, place)))
        assert smallest + others == pytest.approx(1)
        low, high = ends(by_size)[2 * i][0]
        assert (
            data.claim(smezo_shares.SMALL)
            .evidence_of(Kind.MODEL)
            .summary.count(f"[{low * even:.5g}, {high * even:.5g}]")
        )
    drawn = [y for line in by_matrix.get_lines() for y in line.get_ydata()]
    for of in smezo_shares.modules(data).values():
        for values in of.values():
            assert len(values) == len(BATCHES)
            assert set(values) <= set(drawn)


def test_fig2b_has_the_claims_bands():
    assert smezo_fig2b.printed("smezo.fig2b.same_batch") == pytest.approx((0, 10))
    assert smezo_fig2b.printed("smezo.fig2b.held_out") == pytest.approx((35, 55))


def test_fig2c_shows_every_draw(drawing, data):
    for ax, norm in zip(drawing("smezo_fig2c")[0].axes, NORMS, strict=True):
        for series, kind in zip(points(ax), smezo_fig2c.LOOKS, strict=True):
            for (_, mean), loss in zip(series, NAMES, strict=True):
                raises = smezo_fig2c.raises(data, norm, loss, kind)
                assert len(raises) == DRAWS
                assert mean == pytest.approx(np.mean(raises))
                assert any(np.array_equal(line.get_ydata(), raises) for line in ax.get_lines())


def test_fig3_shows_the_rows(drawing, data):
    ax, losses = drawing("smezo_fig3")[0].axes
    _, found = runs(data, smezo_fig3.NEEDED)
    for method, series, bounds in zip(found, points(ax), ends(ax), strict=True):
        accuracies = np.array(
            [[100 * p["accuracy"] for p in row["history"]] for row in found[method]]
        )
        assert series[:, 1] == pytest.approx(accuracies.mean(axis=0))
        assert bounds == pytest.approx(np.array([accuracies.min(axis=0), accuracies.max(axis=0)]).T)
    assert points(losses)[0][-1, 1] == pytest.approx(
        np.mean([row["history"][-1]["loss"] for row in found["mezo"]])
    )
    at, best = smezo_fig3.printed(found["mezo"])
    assert lines(ax)["printed: S-MeZO in 5,000 of MeZO's 17,500 steps"] == pytest.approx(
        np.array([[at, best]])
    )
    assert at == pytest.approx(1000 * 5 / 17.5)


def test_fig3_tells_where_a_learning_rate_is_the_largest_tried(data, tmp_path):
    rows = {(r["method"], r["seed"]): r for r in read_rows([data.results])}
    for (method, seed), row in rows.items():
        rates = (1e-6, 1e-5) if method == "mezo" else (1e-6, 1e-7)
        row["grid"] = [{"lr": rate} for rate in rates] if seed == 0 else []
        row["hyperparameters"]["lr"] = max(rates)
        if method == "s_mezo":
            row["hyperparameters"]["lr"] = 1e-7
        (tmp_path / f"{method}-{seed}.json").write_text(dump(row))
    _, shown = smezo_fig3.draw(replace(data, results=tmp_path))
    assert "MeZO 1e-05 of 1e-06, 1e-05; S-MeZO 1e-07 of 1e-07, 1e-06 (MeZO: the largest" in shown


def test_fig3_tells_when_mezo_is_reached(data):
    _, found = runs(data, smezo_fig3.NEEDED)
    _, best = smezo_fig3.printed(found["mezo"])
    reached = smezo_fig3.first_at(found["s_mezo"], best)
    assert 0 < reached < 1000  # its loss falls twice as fast
    assert smezo_fig3.first_at(found["s_mezo"], 100.0) is None


def test_fig3_without_rows_is_one_clear_line(data, tmp_path):
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(MissingData, match=r"race mezo s_mezo") as raised:
            smezo_fig3.draw(replace(data, results=place))
        assert "\n" not in str(raised.value)
