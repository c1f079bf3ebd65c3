import json
import math

import pandas as pd
import pytest

from tests.probing.toys import Random, Still
from zotheory import probe
from zotheory.probing.objectives import ProbeError


@pytest.fixture(scope="module")
def comparison():
    return probe(Random, Still, "mezo", "hizoo", size=(6, 4), samples=50)


def test_the_frame_has_a_row_for_each_estimator_and_objective(comparison):
    frame = comparison.frame()
    assert len(frame) == 8
    assert set(frame["objective"]) == {"linear", "quadratic"}
    assert (frame["entries"] == 24).all()
    for name in ("efficiency", "cos2", "scale", "angle", "variance"):
        assert {name, f"{name}_low", f"{name}_high", f"{name}_exact"} <= set(frame.columns)
        known = frame[frame[name].notna()]
        assert (known[f"{name}_low"] <= known[f"{name}_high"]).all()
    mezo = frame[frame["estimator"] == "mezo"].iloc[0]
    assert (mezo["scale_exact"], mezo["variance_exact"], mezo["losses"]) == (1, 25, 2)
    assert frame[frame["estimator"] == "Random"]["scale_exact"].isna().all()


def test_rows_fall_in_efficiency_the_exact_one_where_it_is_known(comparison):
    for name in comparison.objectives:
        found = [row.found.efficiency for row in comparison.on(name)]
        *known, last = [e.value if e.exact is None else e.exact for e in found]
        assert known == sorted(known, reverse=True)
        assert math.isnan(last)  # it spends no loss


def test_its_representation_is_short(comparison):
    assert repr(comparison) == "<Comparison of 4 estimators on linear, quadratic>"


def test_a_notebook_shows_the_table(comparison):
    shown = comparison._repr_html_()
    assert "<b>Random</b>" in shown
    assert "<td>mezo</td>" in shown
    assert shown.count("<tr>") == 5


def test_files(comparison, tmp_path):
    comparison.write(tmp_path / "it.csv")
    comparison.write(tmp_path / "it.json")
    frame = pd.read_csv(tmp_path / "it.csv")
    pd.testing.assert_frame_equal(frame, comparison.frame(), check_dtype=False)
    rows = json.loads((tmp_path / "it.json").read_text())
    assert [row["estimator"] for row in rows] == list(frame["estimator"])


def test_a_file_that_cannot_be_written_is_told(comparison, tmp_path):
    with pytest.raises(ProbeError, match=r"suffixes are \.csv, \.json, \.png"):
        comparison.write(tmp_path / "it.xls")
    with pytest.raises(ProbeError, match=r"cannot write .*it\.csv: .*non-existent"):
        comparison.write(tmp_path / "none" / "it.csv")


def test_what_is_not_there_is_told(comparison, tmp_path):
    with pytest.raises(ProbeError, match="objective must be one of linear, quadratic, got 'model'"):
        comparison.on("model")
    with pytest.raises(ProbeError, match="ax must be one Axes of Matplotlib, got list"):
        comparison.plot([])
    with pytest.raises(ProbeError, match="path must be a path, as text or a Path, got 3"):
        comparison.write(3)
    comparison.write(str(tmp_path / "it.csv"))
    assert (tmp_path / "it.csv").is_file()


def test_the_plot_has_a_line_an_estimator(comparison, tmp_path):
    pytest.importorskip("seaborn")
    import matplotlib

    matplotlib.use("Agg")
    ax = comparison.plot()
    order = [row.estimator for row in comparison.on("linear")]
    assert [text.get_text() for text in ax.get_yticklabels()] == order
    assert 0 < ax.get_xlim()[1] < math.inf
    comparison.write(tmp_path / "it.png")
    assert (tmp_path / "it.png").read_bytes().startswith(b"\x89PNG")
