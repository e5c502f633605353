"""The picture of a report for the README: `python -m docs.picture reports/NAME/RUN/report.html docs/report.png`.

Taken with Debian's chromium, of the page from its top to its first chart.
"""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# CSS pixels: about what a README shows at its full size, and what is left below the chart.
WIDTH, MARGIN = 960, 24


def take(browser: "Browser", page: Path, picture: Path) -> None:
    tab = browser.new_page(viewport={"width": WIDTH, "height": 800}, color_scheme="light")
    tab.goto(page.as_uri())
    chart = tab.locator("svg.drawing.wide").first.bounding_box()
    height = chart["y"] + chart["height"] + MARGIN if chart else 800
    tab.screenshot(path=picture, full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})


def main(arguments: list[str]) -> int:
    """Take it with a new browser; returns the exit code."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if len(arguments) != 2 or chromium is None:
        sys.stderr.write("usage: python -m docs.picture REPORT.html PICTURE.png; apt-get install chromium first\n")
        return 2
    page, picture = (Path(argument).resolve() for argument in arguments)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        take(browser, page, picture)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
