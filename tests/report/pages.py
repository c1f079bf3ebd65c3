"""A page of a ledger, read without a browser; and a ledger that means harm."""

import io
import re
from html.parser import HTMLParser

from rich.console import Console

from zotheory.ledger import Control, Entry, Ledger
from zotheory.report.terminal import details
from zotheory.vocabulary import Evidence, Kind, Setting, Verdict

VOID = {"meta", "link", "input", "br", "wbr", "img"}
NOT_SAID = {"svg", "button", "summary", "style", "script"}  # pictures and controls


class Page(HTMLParser):
    """The text of every claim's article, the ids, and whatever points outside."""

    def __init__(self, text):
        super().__init__()
        self.articles, self.ids, self.tags, self.outside, self.text = {}, [], [], [], ""
        self._open, self._article = [], None
        self.feed(text)
        self.close()
        assert self._open == [], "an element is not closed"

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append((tag, found))
        self.ids += [found["id"]] if "id" in found else []
        self.outside += [
            value
            for name in ("src", "href", "action", "srcset", "data", "poster")
            if (value := found.get(name)) is not None and not value.startswith("#")
        ]
        if tag == "article":
            self._article = found["id"]
            self.articles[self._article] = []
        if tag == "math" and self._article:
            self.articles[self._article].append(found["alttext"])
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):  # of SVG
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag == "article":
            self._article = None

    def handle_data(self, data):
        self.text += data
        if self._article and not (NOT_SAID | {"math"}) & set(self._open):
            apart = "" if self._open[-1] in ("a", "span") else "\n"  # an id, coloured words
            self.articles[self._article].append(data + apart)

    def words(self, id):
        """The words of a claim, in no order."""
        return words("".join(f" {part}" if "\n" in part else part for part in self.articles[id]))


def words(text):
    """Words without what one of two layouts sets them off with."""
    text = re.sub(r"[╭╮╰╯│─▸]|^\d+\. ", " ", text, flags=re.MULTILINE)
    return sorted(filter(None, (word.rstrip(":,;") for word in text.split())))


def shown(entry):
    """What `zotheory show` prints of an entry, on lines that are long enough for all."""
    console = Console(file=io.StringIO(), width=20_000)
    details(console, entry)
    return re.sub(r" {9,}|─{9,}", "  ", console.file.getvalue())


HARM = "</p></script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp; {{ 7 * 7 }}"


def hostile():
    """A ledger with markup in every text that a claim can bring in."""
    numbers = {HARM: {HARM: HARM, "x": [HARM]}, "y": HARM}
    certificate = {"inputs": {HARM: HARM}, "claimed": HARM, "actual": 1, "steps": [HARM]}
    evidence = (Evidence(Kind.EXACT, Verdict.REFUTED, HARM, numbers, reading=HARM),)
    entry = Entry(
        "x.y",
        HARM,
        HARM,
        HARM,
        HARM,
        Verdict.REFUTED,
        evidence,
        Control(HARM, Verdict.PROVED, HARM, HARM),
        reason=HARM,
        failed=HARM,
        missing=HARM,
        certificate={**certificate, "snippet": f"# {HARM}\nprint('{HARM}')\n"},
        setting=Setting(HARM, HARM),
    )
    return Ledger(0, HARM, {HARM: HARM}, (entry,))


def badges(html):
    """The words of every verdict that is shown with its sign, but for counts."""
    return re.findall(r'<span class="badge [^>]*><svg.*?</svg>([^<]*)</span>', html)


PAPERS, OURS = "OPT-1.3B on SST-2", "SmolLM2-135M on reviews"
PREMISE = "does not follow from the premise"


def worded():
    """A ledger whose verdicts say more than was found, each of them in its own way, and one not."""

    def entry(id, verdict, kind=Kind.MODEL, reading="", setting=None, **other):
        found = (Evidence(kind, verdict, "measured it", reading=reading),)
        return Entry(id, "p", "Fig. 1", "It is so.", "", verdict, found, setting=setting, **other)

    correction = Control("It is not so.", Verdict.CONFIRMED, "measured that", elsewhere=True)
    elsewhere = Setting(PAPERS, OURS)
    entries = (
        entry("p.elsewhere", Verdict.REFUTED, setting=elsewhere, correction=correction),
        entry("p.premise", Verdict.REFUTED, Kind.EXACT, PREMISE),
        entry("p.printed", Verdict.CONFIRMED, Kind.PRINTED, "by the printed numbers"),
        entry("p.same", Verdict.REFUTED, setting=Setting(PAPERS)),
        entry("p.not_run", Verdict.NOT_RUN, setting=elsewhere),
    )
    return Ledger(0, "quick", {}, entries)
