"""The links of a folder of HTML pages that lead nowhere: no such file, or no such anchor in it."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

ADDRESSES = ("href", "src")


class Page(HTMLParser):
    """A page's links, and the anchors that a link to it may name."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ADDRESSES and value is not None:
                self.links.append(value)
            if value and (name == "id" or (tag == "a" and name == "name")):
                self.anchors.add(value)


def broken(site: Path) -> tuple[int, list[str]]:
    """How many links of a site's pages lead into it, and those that do not arrive.

    What lies in `_static` is read by its scripts and templates, and no page.
    """
    files = (path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts)
    pages = {path: Page(path) for path in files}
    count, found = 0, []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(urljoin(f"/{path.relative_to(site).as_posix()}", link))
            if parts.scheme or parts.netloc:
                continue
            count += 1
            target = site / unquote(parts.path).lstrip("/")
            target = target / "index.html" if target.is_dir() else target
            whole = target not in pages or unquote(parts.fragment) in pages[target].anchors
            if not (target.is_file() and whole):
                found.append(f"{path.relative_to(site)}: {link}")
    return count, found
