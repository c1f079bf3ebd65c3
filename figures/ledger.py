"""The recorded ledger's page as a picture: `python -m figures.ledger [FILE.png]`.

Needs a Chromium on PATH and Playwright, which drives it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from zotheory.ledger import Ledger, recorded
from zotheory.report.page import write_page

WIDTH, HEIGHT = 1280, 980


def draw(ledger: Ledger, path: Path) -> None:
    """Write what a browser shows of the page when it is opened. Raises SystemExit without one."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("the picture needs a Chromium on PATH (apt-get install chromium)")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder) / "ledger.html"
        write_page(ledger, page_file)
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(page_file.as_uri())
        page.screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    draw(recorded(), Path(sys.argv[1] if len(sys.argv) > 1 else "docs/ledger.png"))
