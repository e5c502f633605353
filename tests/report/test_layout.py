"""Tables: every cell is text, whatever it holds, and names its row and column."""

from runner.report.layout import table


def test_cells_are_escaped_once_and_cut() -> None:
    cells = ["<script>", "&amp; **bold** {x}", "y" * 1_000]
    html = table("one", "a <caption>", ["a b", "<c>", "d"], [cells], texts=["d"])
    assert "&lt;script&gt;" in html
    assert "&amp;amp; **bold** {x}" in html
    assert "y" * 280 + "… (720 more characters)" in html
    assert '<span id="one-caption">a &lt;caption&gt;</span>' in html
    assert "<style" not in html


def test_headers_have_scope_and_cells_name_them() -> None:
    html = table("one", "rows", ["a", "b"], [["x", "1"], ["y", "2"]])
    assert 2 == html.count('scope="col"') == html.count('scope="row"')
    assert 'headers="one-stub-2 one-c1"' in html
    assert 'role="region" aria-labelledby="one-caption" tabindex="0"' in html
