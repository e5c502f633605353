"""Debian's chromium for the tests of pages: nothing leaves it but files, and what it complains of is kept."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Request, Route, sync_playwright

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="NO BROWSER: the report page is NOT tested; apt-get install chromium (CI does)"
)

CONTRASTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = rgb(getComputedStyle(element).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.getClientRects().length || element.closest('desc, title')) continue;
    const style = getComputedStyle(element);
    const [a, b] = [rgb(element.closest('svg') ? style.fill : style.color), behind(element)].map(light);
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""
"""The contrast of each text with what is behind it (WCAG 2), and the text."""


Colours = Literal["light", "dark"]
COLOURS: tuple[Colours, ...] = ("light", "dark")


@dataclass
class Tab:
    """An open page, what its console said and what it asked for beside itself."""

    page: Page
    console: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def width(self) -> int:
        """Of what there is to scroll, in CSS pixels."""
        return int(self.page.evaluate("document.scrollingElement.scrollWidth"))

    def screens(self) -> Iterator[tuple[int, Colours]]:
        """Show the page on a small and on a large screen in both colour schemes; yields width and scheme."""
        for width in (375, 1280):
            self.page.set_viewport_size({"width": width, "height": 800})
            for colours in COLOURS:
                self.page.emulate_media(color_scheme=colours)
                yield width, colours

    def widths(self) -> Iterator[int]:
        """Show the page at the widths of a phone, a tablet and a desk."""
        for width in (375, 768, 1280):
            self.page.set_viewport_size({"width": width, "height": 800})
            yield width


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The browser. Playwright's loop runs in this thread meanwhile, so no other test may run inside of the block."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        browser.new_context()
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(
    browser: Browser,
    path: Path,
    *,
    width: int = 1280,
    colours: Colours = "light",
    scripts: bool = True,
) -> Iterator[Tab]:
    """The file in a tab of its own. `scripts`: whether the page could run any."""
    # A context for each tab would take a third of the browser's processor time.
    context = browser.contexts[0] if scripts else browser.new_context(java_script_enabled=False)
    tab = Tab(context.new_page())
    tab.page.set_viewport_size({"width": width, "height": 800})
    tab.page.emulate_media(color_scheme=colours)

    def route(route: Route, request: Request) -> None:
        if request.url == path.as_uri():
            route.continue_()
        else:
            tab.asked.append(request.url)
            route.abort()

    tab.page.route("**/*", route)
    tab.page.on("console", lambda message: tab.console.append(message.text))
    tab.page.on("pageerror", lambda error: tab.console.append(str(error)))
    tab.page.goto(path.as_uri())
    yield tab
    tab.page.close()
