"""LeZO's figures show the rounds that the ledger keeps."""

import numpy as np
import pytest

from figures.data import Data, MissingData
from tests.figures import timed
from tests.figures.conftest import replaced
from tests.figures.reading import ends, lines, points
from zotheory.budget import ALPHA
from zotheory.papers.lezo.timing import LENGTHS, OURS, PUBLISHED
from zotheory.statistics.intervals import median_interval
from zotheory.vocabulary import DRAWN, Kind


@pytest.fixture
def made_up(data) -> Data:
    return Data(replaced(data.ledger, timed.entries()), "quick", data.results)


def test_fig2_shows_the_median_shares(drawing, made_up):
    ax = drawing("lezo_fig2", made_up)[0].axes[0]
    shares = made_up.drawn("lezo.fig2.half", Kind.TIMED, f"16 review prompts, {PUBLISHED}")
    widths = [patch.get_width() for patch in ax.patches]
    assert widths[::2] == pytest.approx([np.median(shares[by]) for by in (PUBLISHED, OURS)])
    assert np.add(widths[::2], widths[1::2]) == pytest.approx(1)
    assert widths[0] == pytest.approx(1 - 2 * timed.FORWARD / timed.STEPS[PUBLISHED][0], abs=0.03)
    assert ends(ax)[0][0] == pytest.approx(median_interval(np.array(shares[PUBLISHED]), ALPHA))
    assert "claimed: above 0.5 (confirmed†)" in lines(ax)


def test_fig5_shows_speed_up_and_prediction(drawing, made_up):
    ax = drawing("lezo_fig5", made_up)[0].axes[0]
    found = [points(ax)[i][0, 1] for i in range(2)]
    assert found == pytest.approx([5 / 3.2, 3 / 2.5], rel=0.03)
    share = 1 - 2 * timed.FORWARD / timed.STEPS[OURS][0]
    predicted = lines(ax)["by Amdahl's law"][0, 1]
    assert predicted == pytest.approx(1 / (1 - 0.6 * share), rel=0.03)


def test_fig6_shows_every_length(drawing, made_up):
    ax = drawing("lezo_fig6", made_up)[0].axes[0]
    for series, more in zip(points(ax), timed.NOISE.values(), strict=True):
        assert series[:, 0].tolist() == list(LENGTHS)
        expected = [(more + length / 100) / (1 + length / 100) for length in LENGTHS]
        assert series[:, 1] == pytest.approx(expected, rel=0.03)


def test_a_ledger_without_rounds_is_told(drawing, made_up, changed):
    def edit(entry):
        entry["evidence"][0]["numbers"] = {"there": {}}

    with pytest.raises(MissingData, match=rf"lezo.fig6.length has no '{DRAWN}'; there is: 'there'"):
        drawing("lezo_fig6", changed("lezo.fig6.length", edit))
