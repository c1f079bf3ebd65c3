"""The page in a real browser: found, filtered, copied, printed, and used with the keyboard alone.

Needs a Chromium on PATH (`apt-get install chromium`) and Playwright, which drives it.
"""

import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from zotheory.ledger import Entry, recorded
from zotheory.report.page import write_page
from zotheory.vocabulary import Verdict

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH to show the page in")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REFUTED = "tezo.lemma1.norm4"
NAMED = (REFUTED, "tezo.memory.adam_share", "tezo.thm1.variance")
WIDTHS = (360, 800, 1400)
CLAIMS: dict[str, Entry] = {}  # on the page


def some(claims):
    """The first of every paper and verdict, of every verdict and kind; each tenth; those named."""
    first = {}
    for claim in claims:
        keys = [claim.paper, *(evidence.kind for evidence in claim.evidence)]
        for key in keys:
            first.setdefault((claim.verdict, key), claim.id)
    chosen = {*first.values(), *NAMED, *(claim.id for claim in claims[::10])}
    return [claim for claim in claims if claim.id in chosen]


@pytest.fixture(
    scope="module", autouse=True, params=["some", pytest.param("all", marks=pytest.mark.slow)]
)
def ledger(request):
    """The recorded ledger; the quick tests look at a page of some claims."""
    whole = recorded()
    claims = whole.claims if request.param == "all" else some(whole.claims)
    CLAIMS.clear()
    CLAIMS.update({claim.id: claim for claim in claims})
    return replace(whole, claims=tuple(claims))


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address(ledger, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "ledger.html"
    write_page(ledger, path)
    return path.as_uri()


@pytest.fixture
def visit(browser, address):
    """Opens the page; at the end, nothing may have gone wrong in it or left the machine."""
    contexts, troubles = [], []

    def open_(anchor="", width=1400, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda r: r.url.startswith("file:") or troubles.append(r.url))
        page.goto(address + anchor)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert troubles == []


def shown(page):
    return page.eval_on_selector_all(
        "article.claim", "all => all.filter(a => !a.hidden).map(a => a.id)"
    )


def found(page):
    return page.get_by_role("status").filter(has_text="claims shown").inner_text()


def article(page, id):
    return page.locator(f'article[id="{id}"]')


def expected(test):
    return [id for id, claim in CLAIMS.items() if test(claim)]


# --- filters and search -------------------------------------------------------------------------


def test_all_claims_are_shown_at_first(visit):
    page = visit()
    assert shown(page) == list(CLAIMS)
    assert found(page) == f"{len(CLAIMS)} of {len(CLAIMS)} claims shown"


def test_choices_of_one_filter_add_and_filters_narrow_each_other(visit):
    page = visit()
    page.get_by_role("checkbox", name="refuted").check()
    refuted = expected(lambda claim: claim.verdict == "refuted")
    assert shown(page) == refuted
    assert found(page) == f"{len(refuted)} of {len(CLAIMS)} claims shown"
    page.get_by_role("checkbox", name="inconclusive").check()
    assert len(shown(page)) > len(refuted)
    page.get_by_role("checkbox", name="measured").check()
    measured = expected(
        lambda claim: (
            claim.verdict in ("refuted", "inconclusive")
            and any(e.kind == "measured" for e in claim.evidence)
        )
    )
    assert shown(page) == measured
    page.get_by_role("button", name="Clear filters").click()
    assert shown(page) == list(CLAIMS)


def test_a_paper_without_a_fitting_claim_is_hidden(visit):
    page = visit()
    page.get_by_role("checkbox", name="own").check()
    assert shown(page) == expected(lambda claim: claim.paper == "own")
    assert page.locator("#paper-own").is_visible()
    assert page.locator("#paper-tezo").is_hidden()


@pytest.mark.parametrize(
    ("words", "hit"),
    [
        ("TEZO-adam opt-13b", "tezo.memory.adam_share"),  # the statement, in any case and order
        ("hermegauss", REFUTED),  # a program
        ("pairings lowest", "tezo.thm1.variance"),  # a derivation
        ("10/r)", "tezo.thm1.variance"),  # a formula, as it is typed
    ],
)
def test_search_reads_everything_folded_or_not(visit, words, hit):
    page = visit()
    page.get_by_role("searchbox").fill(words)
    assert hit in shown(page)
    assert len(shown(page)) < len(CLAIMS)
    for id in shown(page):
        text = article(page, id).evaluate("a => a.textContent + a.innerHTML").lower()
        assert all(word in text for word in words.lower().split())


def test_a_search_without_a_hit_says_so(visit):
    page = visit()
    page.get_by_role("searchbox").fill("<b>no such words</b>")
    assert shown(page) == []
    assert page.get_by_text("No claim fits all of these filters.").is_visible()
    assert found(page) == f"0 of {len(CLAIMS)} claims shown"


# --- one claim ----------------------------------------------------------------------------------


def test_a_link_to_a_claim_unfolds_it(visit):
    page = visit(f"#{REFUTED}")
    claim = article(page, REFUTED)
    assert claim.get_by_role("heading", name="Counterexample").is_visible()
    assert claim.locator(".claimed").inner_text().split() == ["claimed", "1"]
    assert claim.locator(".actual").inner_text().split() == ["actual", "3"]
    assert claim.get_by_role("heading", name="What holds instead").is_visible()
    assert 0 <= claim.bounding_box()["y"] < 100
    assert page.locator("article details[open]").count() == 1


def test_a_link_to_a_claim_that_is_filtered_away_clears_the_filters(visit):
    page = visit()
    page.get_by_role("checkbox", name="proved").check()
    page.evaluate(f"location.hash = '{REFUTED}'")
    article(page, REFUTED).get_by_role("heading", name="Counterexample").wait_for()
    assert shown(page) == list(CLAIMS)


def test_copy_puts_the_program_on_the_clipboard(visit):
    page = visit(f"#{REFUTED}", permissions=["clipboard-read", "clipboard-write"])
    article(page, REFUTED).get_by_role("button", name="Copy the program").click()
    article(page, REFUTED).get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == CLAIMS[REFUTED].snippet
    assert page.locator("#told").inner_text() == "Copied"


def test_a_browser_that_forbids_copying_gets_the_program_selected(visit):
    page = visit(f"#{REFUTED}")
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    article(page, REFUTED).get_by_role("button", name="Copy the program").click()
    page.get_by_role("button", name="Selected").wait_for()
    selected = page.evaluate("getSelection().toString()")
    assert selected.split() == CLAIMS[REFUTED].snippet.split()


def test_unfold_all_and_back(visit):
    page = visit()
    button = page.get_by_role("button", name="Unfold all")
    button.click()
    assert page.locator("article details:not([open])").count() == 0
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert page.locator("article details[open]").count() == 0


def test_formulas_are_drawn_as_mathematics(visit):
    page = visit()
    bar = article(page, "tezo.thm1.variance").locator("mfrac").first.bounding_box()
    letter = article(page, "tezo.thm1.variance").locator("mi").first.bounding_box()
    assert bar["height"] > 1.5 * letter["height"]


# --- everybody ----------------------------------------------------------------------------------


def press_until(page, key, reached, limit=60):
    """Press a key until the focused element is the wanted one; its focus must be visible."""
    for _ in range(limit):
        page.keyboard.press(key)
        if page.evaluate(f"document.activeElement?.matches({json.dumps(reached)})"):
            style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert style != "none", f"the focus on {reached} cannot be seen"
            return
    raise AssertionError(f"{reached} is not reached with {key}")


def test_everything_can_be_done_with_the_keyboard(visit):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    press_until(page, "Tab", "a.skip", limit=1)
    press_until(page, "Tab", "input[type=search]")
    page.keyboard.type(REFUTED.split(".")[-1])
    assert REFUTED in shown(page)
    press_until(page, "Tab", "input[value=refuted]")
    page.keyboard.press("Space")
    assert REFUTED in shown(page)
    assert {CLAIMS[id].verdict for id in shown(page)} == {"refuted"}
    press_until(page, "Tab", f'article[id="{REFUTED}"] summary')
    page.keyboard.press("Enter")
    press_until(page, "Tab", "button.copy")
    page.keyboard.press("Enter")
    article(page, REFUTED).get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == CLAIMS[REFUTED].snippet
    press_until(page, "Shift+Tab", "#clear")
    page.keyboard.press("Enter")
    assert shown(page) == list(CLAIMS)


def test_the_skip_link_leads_past_the_filters(visit):
    page = visit()
    press_until(page, "Tab", "a.skip", limit=1)
    page.keyboard.press("Enter")
    press_until(page, "Tab", "article a", limit=1)


def test_a_screen_reader_finds_landmarks_names_and_states(visit):
    page = visit()
    for role in ("banner", "main", "search", "complementary", "contentinfo"):
        assert page.get_by_role(role).count() == 1, role
    assert page.get_by_role("article", name=REFUTED, exact=True).count() == 1
    assert page.get_by_role("group", name="Verdict").get_by_role("checkbox").count() >= 4
    tree = page.locator("body").aria_snapshot()
    unnamed = re.findall(r"^\s*- (?:button|link|checkbox|searchbox)(?::|$)", tree, re.MULTILINE)
    assert unnamed == []


CONTRAST = r"""
() => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) =>
    rgb.slice(0, 3)
      .map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
      .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = (element) => {
    const own = rgba(getComputedStyle(element).backgroundColor);
    return own[3] || !element.parentElement ? own : ground(element.parentElement);
  };
  const poor = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    const [a, b] = [rgba(getComputedStyle(element).color), ground(element)].map(light);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.add(`${element.className || element.tagName} ${ratio.toFixed(2)}`);
  }
  return [...poor];
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(visit, scheme):
    page = visit(color_scheme=scheme)
    page.get_by_role("button", name="Unfold all").click()
    assert page.evaluate(CONTRAST) == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) > 380) == (scheme == "light")


def test_every_verdict_is_a_word_beside_a_shape_of_its_own(visit):
    page = visit()
    badges = page.locator("article .badge")
    drawn = badges.evaluate_all(
        "all => all.map(b => [b.className, b.textContent, b.querySelector('svg').innerHTML])"
    )
    shapes = {}
    for classes, words, shape in drawn:
        (verdict,) = set(classes.split()) & set(Verdict)
        shapes.setdefault(verdict, set()).add(shape)
        assert words.strip()
    assert {"proved", "confirmed", "refuted", "inconclusive"} <= shapes.keys()
    assert len(set().union(*shapes.values())) == len(shapes)


# --- widths, paper, no scripts ------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_scrolls_sideways(visit, width):
    page = visit(width=width)
    for _ in range(2):  # folded, unfolded
        widest = "document.documentElement.scrollWidth"
        assert page.evaluate(widest) == width
        cut_off = page.evaluate(
            "width => [...document.querySelectorAll('body *')].filter((e) =>"
            " !e.closest('.wide, .formula, pre, .unseen, .skip, aside') && e.checkVisibility() &&"
            " e.getBoundingClientRect().right > width).map((e) => e.outerHTML)",
            width,
        )
        assert cut_off == []
        page.get_by_role("button", name="Unfold all").click()


def test_what_scrolls_in_itself_can_be_reached(visit):
    page = visit(width=360)
    page.get_by_role("button", name="Unfold all").click()
    page.wait_for_function("document.querySelectorAll('.wide[tabindex]').length > 0")
    page.wait_for_function(
        "[...document.querySelectorAll('.formula, .wide, pre')].every((box) =>"
        " (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight)"
        " === box.hasAttribute('tabindex'))"
    )


def test_little_room_begins_with_the_choices_folded(visit):
    assert visit(width=360).get_by_role("checkbox", name="refuted").is_hidden()
    assert visit(width=1400).get_by_role("checkbox", name="refuted").is_visible()


def test_on_paper_everything_is_unfolded_and_nothing_is_to_press(visit):
    page = visit(java_script_enabled=False)
    page.emulate_media(media="print")
    sections = page.locator("article section")
    assert sections.count() > len(CLAIMS)
    heights = sections.evaluate_all("all => all.map((s) => s.getBoundingClientRect().height)")
    assert min(heights) > 0
    assert page.locator("button:visible, input:visible").count() == 0


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="no pdftotext to read the print with")
def test_a_print_holds_the_details_and_leaves_the_page_as_it_was(visit, tmp_path):
    page = visit()
    page.pdf(path=tmp_path / "page.pdf", format="A4")
    assert page.locator("article details[open]").count() == 0
    read = ["pdftotext", "-layout", str(tmp_path / "page.pdf"), "-"]
    text = subprocess.run(read, capture_output=True, text=True, check=True).stdout
    for expected in (REFUTED, "Counterexample", 'print("actual", float(actual))', "Judged in"):
        assert expected in text


def test_without_scripts_the_page_is_read_all_the_same(visit):
    page = visit(f"#{REFUTED}", java_script_enabled=False)
    assert page.get_by_role("search").count() == 0
    assert page.get_by_role("button").count() == 0
    claim = article(page, REFUTED)
    assert claim.get_by_text("E||u||^4 = m(m+2)").is_visible()
    claim.locator("summary").click()
    assert claim.get_by_role("heading", name="Counterexample").is_visible()
