"""What every figure has to do, whatever it shows."""

import pytest

from figures.data import Data, MissingData
from figures.picture import UnknownPicture, caption, judgement, names, pictures
from figures.style import COLUMN, PAGE
from zotheory.ledger import recorded

DEAR = (  # their own tests draw them
    *("own_queries", "own_svd0_threshold", "own_tezo_floor", "own_variance"),
    *("prior_passes", "prior_table5", "prior_two_candidates", "svd0_law"),
)
PARAMS = [pytest.param(name, marks=pytest.mark.slow if name in DEAR else ()) for name in names()]


@pytest.fixture(scope="module", params=PARAMS)
def picture(request):
    return next(pictures([request.param]))


@pytest.fixture
def drawn(picture, drawing):
    return drawing(picture.name)


def test_is_named_after_its_module(picture):
    assert picture.draw.__module__ == f"figures.{picture.name}"


def test_fits_a_column_or_a_page(drawn):
    assert drawn[0].get_figwidth() in (COLUMN, PAGE)


def test_every_panel_has_labelled_axes(drawn):
    panels = [ax for ax in drawn[0].axes if ax.axison and ax.get_label() != "<colorbar>"]
    assert panels
    for axis in ("x", "y"):
        labelled = [ax for ax in panels if _label(drawn[0], ax, axis) or _named_ticks(ax, axis)]
        assert labelled == panels


def _label(figure, ax, axis):
    return getattr(ax, f"get_{axis}label")() or getattr(figure, f"get_sup{axis}label")()


def _named_ticks(ax, axis):
    """Categories on the ticks say what the axis is; so does an axis shared with a labelled one."""
    shared = getattr(ax, f"get_shared_{axis}_axes")().get_siblings(ax)
    ticks = (text for other in shared for text in getattr(other, f"get_{axis}ticklabels")())
    words = any(character.isalpha() for text in ticks for character in text.get_text())
    return words or any(getattr(other, f"get_{axis}label")() for other in shared)


def test_no_text_is_cut_off(drawn):
    figure, _ = drawn
    page = figure.bbox
    for text in figure.findobj(lambda artist: hasattr(artist, "get_text")):
        if text.get_text() and text.get_visible() and not text.get_clip_on():
            box = text.get_window_extent()
            assert box.x0 >= page.x0 - 1, text.get_text()
            assert box.x1 <= page.x1 + 1, text.get_text()


def test_caption_holds_the_verdicts_of_the_ledger(picture, drawn, data):
    lines = [judgement(data, name) for name in picture.claims]
    text = " ".join(caption(drawn[1], lines, data).split())
    for name in picture.claims:
        entry = data.claim(name)
        assert f"{name} ({entry.where}), {entry.told}: " in text


def test_a_missing_claim_is_one_clear_line(picture, without, tmp_path):
    for name in picture.claims:
        with pytest.raises(MissingData, match=name) as raised:
            picture.write(without(name), tmp_path)
        assert "\n" not in str(raised.value)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"budget": "deep"}, "budget must be one of quick, standard, got 'deep'"),
        ({"ledger": "ledger.json"}, "ledger must be a Ledger, .*, got 'ledger.json'"),
        ({"results": None}, "results must be a path"),
    ],
)
def test_what_nothing_can_be_drawn_from_is_told(changes, expected):
    with pytest.raises(ValueError, match=expected):
        Data(**{"ledger": recorded()} | changes)


def test_one_name_will_do(data, tmp_path):
    (found,) = pictures("own_variance")
    assert found == next(pictures(["own_variance"]))
    with pytest.raises(UnknownPicture, match="no figure 3"):
        pictures(3)
    with pytest.raises(ValueError, match="folder must be a path"):
        found.write(data, 3)
