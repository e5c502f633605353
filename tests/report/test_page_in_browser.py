"""report.html in a real browser: at the sizes, in the colours and on the paper that people look at it with."""

import contextlib
import re
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from docs.picture import take
from runner.report.page import write_page
from runner.run.notice import SANDBOX
from tests.report.browser import CONTRASTS, chromium, needs_chromium, opened
from tests.report.sample import lively, page_for
from tests.report.test_page import hostile_page

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_page(folder / "report.html", page_for(folder, lively()))
    return folder / "report.html"


@pytest.fixture(scope="module")
def sandbox_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sandbox")
    write_page(folder / "report.html", page_for(folder, lively(), notice=SANDBOX))
    return folder / "report.html"


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    write_page(folder / "report.html", hostile_page(folder))
    return folder / "report.html"


def test_it_opens_without_a_complaint_and_asks_nobody_for_anything(browser: Browser, report: Path) -> None:
    with opened(browser, report) as tab:
        tab.page.wait_for_load_state("networkidle")
        assert [] == tab.console
        assert [] == tab.asked
        assert "autumn-fair/main" == tab.page.inner_text("h1")


def test_what_hostile_cells_hold_is_text(browser: Browser, hostile_report: Path) -> None:
    with opened(browser, hostile_report) as tab:
        tab.page.wait_for_load_state("networkidle")
        assert [] == tab.console
        assert [] == tab.asked
        assert "undefined" == tab.page.evaluate("typeof window.taken")
        assert 0 == tab.page.locator("script, iframe, img, form, body a, object, embed").count()
        assert 1 == tab.page.locator("style").count()


@pytest.mark.parametrize("which", ["report", "hostile_report"])
def test_it_fits_the_screen(browser: Browser, which: str, request: pytest.FixtureRequest) -> None:
    with opened(browser, request.getfixturevalue(which)) as tab:
        assert [] == [(width, tab.width()) for width in tab.widths() if tab.width() > width]


def test_charts_are_seen_whole(browser: Browser, report: Path) -> None:
    with opened(browser, report) as tab:
        for width in tab.widths():
            shown = [svg for svg in tab.page.locator("svg.drawing").all() if svg.is_visible()]
            assert ["sends", "latency", "reach", "to-delivery", "to-conversion", "sizes"] == [
                re.sub("-(wide|narrow|half)-title.*", "", str(svg.get_attribute("aria-labelledby"))) for svg in shown
            ]
            for svg in shown:
                box = svg.bounding_box()
                assert box is not None
                assert box["width"] > 250
                assert box["height"] > 50
                # Its text stays within the window, also where the font is wider than the one it was laid out with.
                outer = svg.evaluate(
                    "svg => [...svg.querySelectorAll('text')].map(text => text.getBoundingClientRect())"
                    ".map(box => [box.left, box.right])"
                )
                assert [] == [sides for sides in outer if sides[0] < 0 or sides[1] > width]


def test_a_charts_text_can_be_read_on_a_phone(browser: Browser, report: Path) -> None:
    with opened(browser, report, width=375) as tab:
        heights = tab.page.evaluate(
            "[...document.querySelectorAll('svg.drawing text')].map(text => text.getBoundingClientRect())"
            ".filter(box => box.width).map(box => Math.min(box.height, box.width))"
        )
        assert heights
        assert [] == [height for height in heights if 0 < height < 5]
        scales = tab.page.evaluate(
            "[...document.querySelectorAll('svg.drawing')].filter(svg => svg.clientWidth)"
            ".map(svg => svg.clientWidth / svg.viewBox.baseVal.width)"
        )
        assert 13 * min(scales) > 10  # CSS pixels


def test_text_stands_out_in_both_colour_schemes(browser: Browser, report: Path) -> None:
    with opened(browser, report) as tab:
        for screen in tab.screens():
            found = tab.page.evaluate(CONTRASTS)
            assert len(found) > 100
            assert [] == [(screen, contrast, text) for contrast, text in found if contrast < 4.5]


def test_dark_is_dark(browser: Browser, report: Path) -> None:
    expected = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}
    with opened(browser, report) as tab:
        for _, colours in tab.screens():
            assert expected[colours] == tab.page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_print_gives_light_pages(browser: Browser, report: Path) -> None:
    with opened(browser, report, colours="dark") as tab:
        pdf = tab.page.pdf(format="A4", prefer_css_page_size=True)
        pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
        assert pages in range(3, 9)
        tab.page.emulate_media(media="print")
        assert "rgb(255, 255, 255)" == tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert [] == [text for contrast, text in tab.page.evaluate(CONTRASTS) if contrast < 4.5]


def test_nobody_misses_that_it_was_a_sandbox(browser: Browser, sandbox_report: Path) -> None:
    with opened(browser, sandbox_report) as tab:
        assert tab.page.title().startswith("SANDBOX · ")
        for width, _ in tab.screens():
            for place in ("0", "document.body.scrollHeight"):  # on top, and at the very end
                tab.page.evaluate(f"window.scrollTo(0, {place})")
                box = tab.page.locator(".notice").bounding_box()
                assert box is not None
                assert (0, True) == (box["y"], box["height"] < 100)
                assert "SANDBOX a simulation; nothing reaches a phone" == tab.page.inner_text(".notice")
            assert width >= tab.width()
            assert [] == [text for contrast, text in tab.page.evaluate(CONTRASTS) if contrast < 4.5]


def test_nor_on_any_sheet_of_paper(browser: Browser, sandbox_report: Path, report: Path) -> None:
    """The word across each sheet is the only text that is turned, but not by a right angle."""
    for path, wanted in ((sandbox_report, True), (report, False)):
        with opened(browser, path) as tab:
            pdf = tab.page.pdf(format="A4", prefer_css_page_size=True)
        found = list(map(is_turned, drawings(pdf)))
        assert len(found) >= 3
        assert {wanted} == set(found)


def drawings(pdf: bytes) -> Iterator[bytes]:
    """What is drawn on each sheet that has text."""
    for start in re.finditer(rb"stream\r?\n", pdf):
        with contextlib.suppress(zlib.error):
            drawing = zlib.decompress(pdf[start.end() : pdf.find(b"endstream", start.end())])
            if re.search(rb"^BT$", drawing, re.MULTILINE):
                yield drawing


def is_turned(drawing: bytes) -> bool:
    matrices = [line.split() for line in re.findall(rb"^((?:[-.\d]+ ){6})cm$", drawing, re.MULTILINE)]
    return any(float(matrix[0]) and float(matrix[1]) for matrix in matrices)


def test_a_screen_reader_finds_its_way(browser: Browser, report: Path) -> None:
    with opened(browser, report) as tab:
        page = tab.page
        assert "en" == page.get_attribute("html", "lang")
        assert [1, 1, 1] == [page.locator(landmark).count() for landmark in ("header", "main", "footer")]
        levels = [
            int(tag[1]) for tag in page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => h.tagName)")
        ]
        assert 1 == levels.count(1)
        assert [] == [(a, b) for a, b in pairwise(levels) if b > a + 1]
        for image in page.locator("[role=img]").all():
            named = image.evaluate(
                "e => e.getAttribute('aria-label') || (e.getAttribute('aria-labelledby') || '').split(' ')"
                ".map(id => document.getElementById(id).textContent).join(' ')"
            )
            assert len(named) > 20
        assert 0 == page.locator("th:not([scope])").count()
        assert page.locator("table").count() == page.locator("table > caption").count()
        # What scrolls can be scrolled without a mouse.
        assert page.locator(".scroll").count() == page.locator(".scroll[tabindex='0'][role=region]").count()


def test_it_needs_no_script(browser: Browser, report: Path) -> None:
    with opened(browser, report, scripts=False) as tab:
        assert "Status of every row" in tab.page.inner_text("body")


def test_the_picture_for_the_readme_is_taken(browser: Browser, report: Path, tmp_path: Path) -> None:
    picture = tmp_path / "report.png"
    take(browser, report, picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
