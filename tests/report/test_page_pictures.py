"""Figures on the page: read back from their files, shown once, never beside other verdicts."""

from dataclasses import replace

import pytest
from PIL import Image

from figures.data import Data
from figures.picture import pictures
from tests.report.pages import Page, worded
from zotheory.ledger import Ledger, LedgerError, recorded
from zotheory.report.page import page, read_pictures
from zotheory.vocabulary import Verdict

NAMES = ["prior_fig4", "svd0_table15"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("figures")
    for picture in pictures(NAMES):
        picture.write(Data(recorded(), "quick", path), path)
    Image.new("RGB", (3, 3)).save(path / "other.png")
    return path


@pytest.fixture(scope="module")
def drawn(folder):
    return read_pictures(folder)


@pytest.fixture(scope="module")
def text(drawn):
    return page(recorded(), drawn)


def test_a_figure_comes_back_with_its_caption_and_verdicts(folder, drawn):
    assert [picture.name for picture in drawn] == NAMES
    for picture, known in zip(drawn, pictures(NAMES), strict=True):
        assert picture.title == known.title
        assert picture.caption == (folder / f"{picture.name}.txt").read_text(encoding="utf-8")
        assert list(picture.verdicts) == list(known.claims)
        assert all(picture.verdicts[name] == recorded()[name].verdict for name in known.claims)


def test_every_figure_stands_once_behind_its_paper_and_its_claims_link_to_it(drawn, text):
    read = Page(text)
    for picture in drawn:
        assert text.count(picture.source) == 1
        assert f"figure-{picture.name}" in read.ids
        links = len(picture.verdicts) + 1  # from its claims, and below its paper's title
        assert text.count(f'href="#figure-{picture.name}"') == links
        for name in picture.verdicts:
            assert set(picture.title.split()) <= set(read.words(name))
    images = [found for tag, found in read.tags if tag == "img"]
    assert [image["alt"] for image in images] == [
        picture.title for picture in sorted(drawn, key=lambda p: -NAMES.index(p.name))
    ]
    assert "img-src data:;" in text
    assert "img-src" not in page(worded())


def test_a_caption_begins_with_its_title_and_leads_to_its_claims(drawn, text):
    for picture in drawn:
        leads = [lead for lead, _ in picture.led if lead]
        assert leads == [f"{picture.title}.", *picture.verdicts]
        told = " ".join(picture.caption.split())
        assert " ".join(lead + rest for lead, rest in picture.led) == told
        for name in picture.verdicts:
            assert f'<p><a href="#{name}">{name}</a> (' in text


def test_a_figure_of_another_ledger_is_refused(drawn):
    ledger = recorded()
    changed = tuple(
        replace(claim, verdict=Verdict.INCONCLUSIVE) if claim.id == "prior.step.gv" else claim
        for claim in ledger.claims
    )
    other = Ledger(ledger.seed, ledger.budget, ledger.versions, changed)
    expected = "prior_fig4 was drawn from another ledger: prior.step.gv is proved there, incon"
    with pytest.raises(LedgerError, match=expected):
        page(other, drawn)


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_a_folder_without_figures_is_named(tmp_path, content):
    if content:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(LedgerError, match=r"holds no figure|cannot read"):
        read_pictures(tmp_path)
    with pytest.raises(LedgerError, match=r"cannot read .*none"):
        read_pictures(tmp_path / "none")


def test_report_shows_figures(command, folder, tmp_path):
    out = tmp_path / "page.html"
    assert command("report", "--figures", folder, "--out", out)[0] == 0
    assert out.read_text(encoding="utf-8").count("<figure") == len(NAMES)
    status, _, told = command("report", "--figures", tmp_path / "none", "--out", out)
    assert status == 2
    assert "cannot read" in told
