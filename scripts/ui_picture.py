"""Draw docs/ui.png: the page with the embedded model, after one picture and the row of its dial.

python scripts/ui_picture.py        needs the extra [ui], playwright, and a Chromium on the PATH
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PAGE = Path(__file__).parents[1] / "docs" / "ui.png"
COMMAND = (sys.executable, "-m", "counterpoint.cli", "ui", "--port", "0", "--min-safety", "off")
PROMPT, SEED = "a man with a cigarette on a beach", 3
WIDTH, HEIGHT, SCALE = 1080, 900, 0.7
MINUTES = 3 * 60_000


def main() -> int:
    """Start the page, draw, take the picture; returns the exit code."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no chromium on the PATH")
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = next(found[0] for line in server.stdout if (found := re.search(r"http://\S+", line)))
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium)
                page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
                page.set_default_timeout(MINUTES)
                page.goto(address)
                page.fill("#prompt textarea", PROMPT)
                page.click("#settings button >> nth=0")
                page.fill("#seed input", str(SEED))
                page.click("#settings button >> nth=0")
                page.click("#draw")
                page.wait_for_selector("#picture img")
                page.click("#row-button")
                page.wait_for_function("document.querySelectorAll('#row img').length === 5")
                page.mouse.move(0, 0)
                page.wait_for_timeout(1000)  # the bars have grown
                page.screenshot(path=PAGE, full_page=True)
                browser.close()
        finally:
            server.terminate()
    with Image.open(PAGE) as whole:
        size = (round(whole.width * SCALE), round(whole.height * SCALE))
        whole.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(PAGE, optimize=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
