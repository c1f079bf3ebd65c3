"""The page without a browser: complete, self-contained, safe, and of one mind with the terminal."""

import base64
import hashlib
import re
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.report.pages import HARM, Page, badges, hostile, shown, worded, words
from zotheory.ledger import Ledger, recorded
from zotheory.report.page import page, write_page
from zotheory.vocabulary import Verdict

LEDGER = recorded()


@pytest.fixture(scope="module")
def text():
    return page(LEDGER)


@pytest.fixture(scope="module")
def read(text):
    return Page(text)


def test_every_claim_has_one_article_and_an_anchor_of_its_own(read):
    assert list(read.articles) == [claim.id for claim in LEDGER.claims]
    assert len(read.ids) == len(set(read.ids))
    links = {found.get("href") for tag, found in read.tags if tag == "a"}
    assert {f"#{claim.id}" for claim in LEDGER.claims} <= links
    assert {link[1:] for link in links} <= set(read.ids)


@pytest.mark.sampled(60)
@pytest.mark.parametrize("entry", LEDGER.claims, ids=lambda entry: entry.id)
def test_the_page_says_what_show_says(read, entry):
    assert read.words(entry.id) == words(shown(entry))


@pytest.mark.parametrize("entry", worded().claims, ids=lambda entry: entry.id)
def test_page_and_show_word_a_verdict_by_its_reading_and_setting(entry):
    text = page(worded())
    assert Page(text).words(entry.id) == words(shown(entry))
    if entry.told != entry.verdict.word:  # a bare word would say too much
        article = text.partition(f'<article class="claim {entry.verdict}" id="{entry.id}"')[2]
        found = badges(article.partition("</article>")[0])
        assert entry.brief in found
        assert entry.verdict.word not in found
        assert entry.verdict.word not in re.findall(r"─ (\w+) ─", shown(entry))
        for layout in (" ".join(Page(text).articles[entry.id]), shown(entry)):
            assert entry.told[1:] in " ".join(layout.split())


def test_counts_are_by_the_bare_verdict():
    text = page(worded())
    for count in ("3 refuted", "1 confirmed", "1 not run"):
        assert f"{count}</span>" in text


def test_nothing_is_fetched_from_anywhere(read, text):
    assert read.outside == []
    assert not re.search(r"url\(|@import|https?:|//\w+\.\w", text)
    assert not {"img", "iframe", "object", "link", "base"} & {tag for tag, _ in read.tags}


def test_only_the_pages_own_script_may_run(text):
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert "default-src 'none'" in text


def test_the_page_stays_small(text):
    assert len(text.encode()) < 20_000 * (len(LEDGER.claims) + 2)


def test_every_control_has_a_name_and_headings_do_not_skip(read, text):
    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert '<html lang="en">' in text
    assert all(found.get("aria-hidden") == "true" for tag, found in read.tags if tag == "svg")


def test_what_a_claim_says_is_text_and_never_markup():
    found = Page(page(hostile()))
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert not any(tag == "img" or "onerror" in attributes for tag, attributes in found.tags)
    assert found.outside == []
    assert "".join(found.articles["x.y"]).count(HARM) >= 10


def test_the_tally_counts_every_claim_once(read, text):
    for verdict in Verdict:
        number = sum(claim.verdict == verdict for claim in LEDGER.claims)
        if number:
            assert f"{number} {verdict.word}</span>" in text


def test_a_ledger_without_claims_is_a_page():
    assert "0 statements" in page(Ledger(0, "quick", {}, ()))


def test_a_paper_of_ones_own_goes_by_its_short_name():
    entry = replace(LEDGER.claims[0], id="mine.a", paper="mine")
    assert '<h2 id="paper-mine">mine</h2>' in page(Ledger(0, "quick", {}, (entry,)))


def test_the_same_ledger_gives_the_same_page(text):
    assert page(LEDGER) == text


def test_a_page_is_written_whole(tmp_path, text):
    write_page(LEDGER, tmp_path / "ledger.html")
    assert (tmp_path / "ledger.html").read_text(encoding="utf-8") == text


# --- the commands -------------------------------------------------------------------------------


def test_report_renders_the_recorded_ledger(command, tmp_path, text):
    status, out, error = command("report", "--out", tmp_path / "a.html")
    assert (status, out.strip(), error) == (0, str(tmp_path / "a.html"), "")
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == text


def test_report_renders_any_ledger(command, tmp_path):
    Ledger(0, "quick", {}, LEDGER.claims[:1]).write(tmp_path / "ledger.json")
    assert command("report", tmp_path / "ledger.json", "--out", tmp_path / "a.html")[0] == 0
    found = Page((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert list(found.articles) == [LEDGER.claims[0].id]


@pytest.mark.parametrize(
    ("ledger", "out", "expected"),
    [("none.json", "a.html", "cannot read"), ("", "none/a.html", "cannot write")],
)
def test_report_tells_what_it_cannot_do(command, tmp_path, ledger, out, expected):
    named = [tmp_path / ledger] if ledger else []
    status, told, error = command("report", *named, "--out", tmp_path / out)
    assert (status, told, error.count("\n")) == (2, "", 1)
    assert expected in error


def test_verify_writes_the_page_of_its_ledger_and_drops_an_older_one(command, tmp_path):
    out = tmp_path / "out"
    arguments = ("verify", "tezo.lemma1.norm4", "--out", out, "--model", "none")
    status, told, _ = command(*arguments)
    assert status == 0
    assert str(out / "ledger.html") in told.replace("\n", "")
    ledger = Ledger.read(out / "ledger.json")
    assert (out / "ledger.html").read_text(encoding="utf-8") == page(ledger)
