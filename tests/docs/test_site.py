"""The site: a page for every claim and paper, all that is public in the API, no broken link."""

import inspect
import re
import shutil
import threading
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path

import pytest
from markupsafe import escape

from docs.build import build, finish, gather
from docs.sources import api, mathematics
from figures.data import Data
from figures.picture import pictures
from proofs_check.cards import NAMES
from tests.docs.links import broken
from zotheory.history import history
from zotheory.ledger import recorded
from zotheory.papers import ROOMS
from zotheory.report.page import read_pictures
from zotheory.report.site import claim, linked, paper, plain, write_sources

ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    for picture in pictures(["own_tezo_floor", "own_queries"]):
        picture.write(Data(recorded(), budget="quick"), folder)
    return folder


@pytest.fixture(scope="module")
def sources(tmp_path_factory, drawn):
    folder = tmp_path_factory.mktemp("site") / "docs"
    gather(recorded(), folder, drawn)
    return folder


def test_every_claim_and_every_paper_has_its_page(tmp_path):
    write_sources(recorded(), tmp_path)
    pages = {path.stem for path in (tmp_path / "claims").glob("*.md")}
    assert pages == {entry.id for entry in recorded().claims} | {"index"}
    assert {path.stem for path in (tmp_path / "papers").glob("*.md")} == set(ROOMS)


@pytest.mark.parametrize(
    "name", ["svd0.alg3.as_printed", "tezo.thm2.resampled", "tezo.lemma1.eq12"]
)
def test_a_page_says_what_the_ledger_says(name):
    entry, ledger = recorded()[name], recorded()
    page = claim(entry, ledger, history()[name])
    assert page.startswith(f"# {name}\n")
    assert str(plain(entry.says)) in page
    assert entry.brief in page
    assert entry.snippet.strip() in page
    assert entry.correction is None or escape(entry.correction.says) in page
    assert f"zotheory verify {name} --budget {ledger.budget} --seed {ledger.seed}" in page
    assert all(judged.date in page and str(plain(judged.why)) in page for judged in history()[name])


@pytest.mark.parametrize("text", ["E[<G, Z> Z] = G*x_1", "a | b", "# 1. `x`", "||g||^2 <= $n$"])
def test_text_is_shown_letter_by_letter(text):
    from markdown_it import MarkdownIt

    shown = MarkdownIt("commonmark").enable("table").renderInline(str(plain(text)))
    assert shown == text.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def test_the_address_of_a_paper_is_a_link():
    assert linked("A_B (2025), https://arxiv.org/abs/2501.19057").split()[-1] == (
        "<https://arxiv.org/abs/2501.19057>"
    )
    assert "<https://arxiv.org/abs/2501.19057>" in paper("tezo", recorded())


@cache
def documented():
    """What the pages of the API show."""
    shown = re.findall(
        r"\.\. auto(?:class|function|data):: (\S+)\.(\w+)", "\n".join(api().values())
    )
    return [getattr(import_module(module), name) for module, name in shown]


PUBLIC = [  # a module that says what it has to offer
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("estimators", "proofs_check", "zotheory")
    for path in sorted((ROOT / package).rglob("*.py"))
    if re.search("^__all__ =", path.read_text(encoding="utf-8"), re.M)
]


@pytest.mark.parametrize("module", PUBLIC)
def test_the_api_has_every_public_function_and_class(module):
    found = {name: getattr(import_module(module), name) for name in import_module(module).__all__}
    for name, public in found.items():
        if inspect.isclass(public) or inspect.isfunction(public):
            assert any(public is shown for shown in documented()), name


def test_the_api_shows_nothing_twice():
    assert len({id(shown) for shown in documented()}) == len(documented())


def test_the_mathematics_has_every_card():
    shown = mathematics()
    assert all(f"<th>{name}</th>" in shown for name in NAMES)
    assert shown.count(": assumptions and derivation") == len(NAMES)


@pytest.mark.slow
def test_sources_show_the_figures_that_are_drawn(sources, drawn):
    gallery = (sources / "gallery.md").read_text()
    for picture in read_pictures(drawn):
        assert (sources / "figures" / f"{picture.name}.png").is_file()
        assert f"figures/{picture.name}.py" in gallery


@pytest.fixture(scope="module")
def site(sources, tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    assert build(sources, folder) == 0  # warnings are errors
    finish(recorded(), folder, ())
    return folder


@pytest.fixture(scope="module")
def address(site):
    """Where the site is served."""
    handler = partial(Silent, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.slow
def test_no_link_and_no_anchor_is_broken(site):
    assert len(list(site.rglob("index.html"))) > len(recorded().claims)
    count, found = broken(site)
    assert count > 10_000
    assert found == []


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "index.html").write_text('<a href="a/#there">, <img src="no.png"> <a href="#top">')
    (tmp_path / "a" / "index.html").write_text(
        '<p id="there"><a href="../">, <a href="/">, <a href="../#gone">, <a href="b/">'
        '<a href="https://example.org/no">'
    )
    count, found = broken(tmp_path)
    assert count == 7
    assert found == ["a/index.html: ../#gone", "a/index.html: b/", "index.html: no.png"]


@pytest.mark.slow
def test_formulas_of_notebooks_are_drawn(site):
    page = (site / "notebooks" / "tezo" / "index.html").read_text(encoding="utf-8")
    assert "<mi>τ</mi>" in page
    assert r"\tau" not in page


@pytest.mark.slow
def test_the_api_shows_docstrings_letter_by_letter(site):
    page = (site / "api" / "exact" / "index.html").read_text(encoding="utf-8")
    shown = re.sub("<[^>]+>", "", page)
    assert "r*||G||^2" in shown
    assert "e.g. the symbol ||G||^2" in shown
    assert "\\|" not in shown


@pytest.mark.slow
def test_nothing_on_it_asks_the_network(site):
    loads = re.compile(r'<(?:script|img|iframe|link)\b[^>]*(?:src|href)="(?:https?:)?//[^"]+"')
    for page in site.rglob("*.html"):
        assert not loads.findall(page.read_text(encoding="utf-8")), page


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH to show the site in")
@pytest.mark.parametrize("width", [390, 800, 1400])
def test_no_page_is_wider_than_its_window(site, address, width):
    """Every page by hand, one claim of each verdict, each paper; the API and the ledger."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    claims = {entry.verdict: f"claims/{entry.id}/" for entry in recorded().claims}.values()
    others = [path.parent.relative_to(site).as_posix() for path in site.rglob("index.html")]
    names = [*claims, *(f"{name}/" for name in others if not name.startswith("claims/"))]
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": width, "height": 900})
        wide = []
        for name in (*names, "ledger.html"):
            page.goto(f"{address}{name}")
            if page.evaluate("document.documentElement.scrollWidth") > width:
                wide.append(name)
        chromium.close()
    assert len(names) > 40
    assert wide == []


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
