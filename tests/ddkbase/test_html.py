"""The page that all reports share: nothing of others becomes markup, nothing is fetched."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys

import pytest

from ddkbase import html as html_page
from ddkbase.html import Html

HOSTILE = """<script>alert(1)</script>"'&<img src=x onerror=alert(2)>"""
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def test_texts_are_escaped_and_markup_is_not() -> None:
    parts = [
        HOSTILE,
        html_page.paragraph("one < two ", Html("<b>three</b>")),
        html_page.section(HOSTILE, HOSTILE),
        html_page.table([HOSTILE], [[HOSTILE, 3.5]], kind=HOSTILE),
        html_page.values({HOSTILE: HOSTILE}),
        html_page.code(HOSTILE),
        html_page.warning(HOSTILE),
        html_page.image(PNG, HOSTILE, caption=HOSTILE),
        html_page.link("iv.nc", HOSTILE),
    ]
    text = html_page.page(HOSTILE, parts)
    assert "<script" not in text and "<img src=x" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;&lt;img") == 15
    assert "one &lt; two <b>three</b>" in text and "<td>3.5</td>" in text
    assert text.startswith("<!doctype html>") and '<meta charset="utf-8">' in text


def test_data_for_a_script_cannot_end_its_element() -> None:
    block = html_page.data_block("d", {"name": "</script><!-- <script>\u2028", "x": [1.5, None]})
    assert block.count("<") == 2  # its own two tags
    assert '"x":[1.5,null]' in block and "\u2028" not in block
    with pytest.raises(ValueError, match="JSON"):
        html_page.data_block("d", float("nan"))


def test_only_the_scripts_of_a_page_may_run() -> None:
    source = "const a = 1;\r\nconst b = 'µ';\n"
    text = html_page.page("t", ["p"], scripts=[source])
    kept = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert kept is not None and "\r" not in kept[1]
    digest = base64.b64encode(hashlib.sha256(kept[1].encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert f"script-src 'sha256-{digest}'" in policy[1] and "default-src 'none'" in policy[1]
    assert "script-src 'none'" in html_page.page("t", [])


@pytest.mark.parametrize(
    "given",
    [{"scripts": ["a</SCRIPT>"]}, {"scripts": ["a<!--"]}, {"style": "a</style>"}],
)
def test_what_would_end_a_script_or_style_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="may not contain"):
        html_page.page("t", [], **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("target", ["https://a.example/b", "javascript:alert(1)", "data:,x"])
def test_a_link_leads_to_a_file_beside_the_page(target: str) -> None:
    with pytest.raises(ValueError, match="files beside it"):
        html_page.link(target, "there")
    assert html_page.link("#here", "a") == '<a href="#here">a</a>'


def test_a_table_marks_its_numbers_and_scrolls() -> None:
    text = html_page.table(["name", "size"], [["a", 1], ["b", 2]], numbers=True)
    assert text.startswith('<div class="wide"><table class="numbers">')
    assert text.count('<td class="number">') == 2
    assert '<th scope=col class="number">size</th>' in text
    assert "<thead>" not in html_page.table((), [["a"]])


def test_pictures_are_png_or_gif_or_figures() -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    assert 'src="data:image/png;base64,iVBORw0KGgo' in html_page.image(figure, "nothing")
    assert 'src="data:image/gif;base64,' in html_page.image(b"GIF89a", "nothing")
    assert '<div class="wide"><img' in html_page.image(PNG, "nothing", wide=True)
    with pytest.raises(ValueError, match="PNG or GIF"):
        html_page.image(b"<svg>", "nothing")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-1.2 V, 5 kohm, 3.1 us", "−1.2 V, 5 kΩ, 3.1 µs"),
        ("6 uS (164 kohm)", "6 µS (164 kΩ)"),
        ("2 uA and -.5 uohm", "2 µA and −.5 µΩ"),
        (
            "back-substitution 0.7, 2024-05-06, us, kohm",
            "back-substitution 0.7, 2024-05-06, us, kohm",
        ),
        ("10 usual, 1e-5", "10 usual, 1e-5"),
    ],
)
def test_signs(text: str, shown: str) -> None:
    assert html_page.signs(text) == shown


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, ddkbase.html as h; h.page('t', ['a']);"
        "print({'matplotlib', 'pandas', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
