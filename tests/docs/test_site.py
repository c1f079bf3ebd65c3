"""The site: a page for every claim and paper, all that is public in the API, no broken link."""

import re
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from markupsafe import escape

import estimators
import zotheory
from docs.build import build, finish, gather
from docs.sources import api, mathematics
from figures.data import Data
from figures.picture import pictures
from proofs_check.cards import NAMES
from zotheory.history import history
from zotheory.ledger import recorded
from zotheory.papers import ROOMS
from zotheory.report.page import read_pictures
from zotheory.report.site import claim, plain, write_sources


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


def test_the_api_has_every_public_name():
    shown = set(re.findall(r"\.\. auto(?:class|function):: (\S+)", "\n".join(api().values())))
    assert shown >= {f"estimators.{name}" for name in estimators.__all__}
    assert shown >= {f"zotheory.{name}" for name in zotheory.__all__}


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


@pytest.mark.slow
def test_no_link_and_no_anchor_is_broken(site, tmp_path):
    assert len(list(site.rglob("index.html"))) > len(recorded().claims)
    (tmp_path / "rc").write_text("[filtering]\ncheckextern=0\n[AnchorCheck]\n")
    handler = partial(Silent, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = ["linkchecker", "--config", str(tmp_path / "rc"), "--no-status", "--no-robots"]
        checker = Path(sys.executable).with_name(command[0])
        address = f"http://127.0.0.1:{server.server_port}/"
        done = subprocess.run(
            [str(checker), *command[1:], address], capture_output=True, text=True, check=False
        )
        server.shutdown()
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(re.search(r"(\d+) links? in", done.stdout)[1]) > 1000


@pytest.mark.slow
def test_nothing_on_it_asks_the_network(site):
    loads = re.compile(r'<(?:script|img|iframe|link)\b[^>]*(?:src|href)="(?:https?:)?//[^"]+"')
    for page in site.rglob("*.html"):
        assert not loads.findall(page.read_text(encoding="utf-8")), page


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
