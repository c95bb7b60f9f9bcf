"""The one style of all reports: an HTML page of tables, pictures and sections that needs nothing.

What is not `Html` is a text and is escaped; the functions of this module return `Html`, so that a
file name or a value of somebody else never becomes markup.  A page refers to nothing outside
itself, and its content security policy forbids the browser to fetch anything or to run any script
but the page's own.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
:root { color-scheme: light }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
       color: #222; background: #fff; max-width: 64em; margin: 2em auto; padding: 0 1em;
       overflow-wrap: break-word }
h1 { font-size: 1.5em; line-height: 1.25 }
h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #ccc }
h3 { font-size: 1.05em; margin-top: 1.6em }
a { color: #005a8c }
table { border-collapse: collapse }
.wide { overflow-x: auto; margin: 1em 0 }
td, th { padding: .25em .7em; border-bottom: 1px solid #ddd; text-align: left;
         vertical-align: top }
th { font-weight: 600 } tbody th { font-weight: 400; color: #555; white-space: nowrap }
.numbers { font-size: .87em } .numbers th, .numbers td { padding: .25em .5em }
.numbers td:first-child:not(.number) { min-width: 8em }
thead th { vertical-align: bottom }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
thead .number { white-space: normal }
figure { margin: 1em 0 } figcaption { color: #555; font-size: .92em }
img { max-width: 100%; height: auto } .wide > img { max-width: none; width: 100%; min-width: 44em }
.yes { color: #00704d } .no { color: #a33f08 }
.warning { border-left: .3em solid #b3470b; background: #fdf3ea; padding: .5em .8em }
code, pre { font: .92em/1.4 ui-monospace, "DejaVu Sans Mono", monospace }
code { overflow-wrap: anywhere } pre { overflow-x: auto; background: #f6f6f4; padding: .6em .8em }
details { margin: 1em 0 } summary { cursor: pointer; color: #005a8c }
:focus-visible { outline: 2px solid #005a8c; outline-offset: 2px }
@media (max-width: 44em) {
  body { margin: 1em auto; padding: 0 .8em }
  .stacked thead { display: none } .stacked td { display: block; border: 0; padding: .1em 0 }
  .stacked td:last-child { border-bottom: 1px solid #ddd; padding-bottom: .6em }
  tbody th { white-space: normal }
}
@media print {
  body { max-width: none; margin: 0; font-size: 10pt } a { color: inherit }
  .wide { overflow: visible } .wide > img { min-width: 0 } pre { white-space: pre-wrap }
  h2, h3 { break-after: avoid } tr, figure { break-inside: avoid } .screen { display: none }
}
"""
_DOTS = 130  # per inch


class Html(str):
    """Text that is markup already and is put into a page as it is."""

    __slots__ = ()


def escaped(text: object) -> Html:
    """``text`` as markup: itself if it is `Html`, otherwise its text with <, >, & and quotes
    escaped."""
    return text if isinstance(text, Html) else Html(html.escape(str(text)))


def signs(text: str) -> str:
    """``text`` with the signs that a screen without them spells: minus, kΩ for "kohm", µ for "u",
    each only beside a number."""
    text = re.sub(r"(?<![\w.)])-(?=\.?\d)", "\N{MINUS SIGN}", text)
    text = re.sub(r"(?<=\d) ([pnumkMG]?)ohm\b", " \\1Ω", text)
    return re.sub(r"(?<=\d) u(?=[A-ZΩsm]\b)", " µ", text)


def page(
    title: str,
    parts: Sequence[str],
    *,
    scripts: Sequence[str] = (),
    style: str = "",
    heading: str | None = None,
) -> str:
    """Put a page together.

    Parameters
    ----------
    title : str
        What the browser shows as the name of the page.
    parts : sequence of str
        `Html`, one after the other; a text that is not becomes a paragraph.
    scripts : sequence of str, default ()
        Sources in JavaScript, run in this order when the page is there.
    style : str, default ""
        Rules of CSS that this page has besides those of all.
    heading : str or None, optional
        What is written above the parts, if that is not the title.

    Raises
    ------
    ValueError
        A script or the style contains what would end it.
    """
    banned = [(s, tag) for s in scripts for tag in ("</script", "<!--")] + [(style, "</style")]
    for source, tag in banned:
        if tag in source.lower():
            raise ValueError(f"a script or style in a page may not contain {tag}")
    # a browser hashes the source with line feeds, whatever the file had
    sources = [source.replace("\r\n", "\n").replace("\r", "\n") for source in scripts]
    hashes = (hashlib.sha256(source.encode("utf-8")).digest() for source in sources)
    own = " ".join(f"'sha256-{base64.b64encode(value).decode('ascii')}'" for value in hashes)
    own = own or "'none'"
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src {own}; base-uri 'none'; form-action 'none'"
    )
    body = [f"<h1>{escaped(title if heading is None else heading)}</h1>"]
    body += [part if isinstance(part, Html) else paragraph(part) for part in parts]
    body += [f"<script>{source}</script>" for source in sources]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escaped(title)}</title><style>{_STYLE}{style}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def section(heading: str, *parts: str, level: int = 2) -> Html:
    """A heading (of ``level`` 2 or 3) and what follows it; parts as for `page`."""
    body = [part if isinstance(part, Html) else paragraph(part) for part in parts]
    return Html("\n".join([f"<h{level}>{escaped(heading)}</h{level}>", *body]))


def details(summary: str, *parts: str) -> Html:
    """Parts below a line that opens them."""
    return Html("\n".join([f"<details><summary>{summary}</summary>", *parts, "</details>"]))


def paragraph(*parts: object) -> Html:
    """A paragraph of texts and `Html`, one after the other."""
    return Html(f"<p>{''.join(map(escaped, parts))}</p>")


def warning(text: str) -> Html:
    """A paragraph that is not to be overlooked."""
    return Html(f'<p class="warning" role="note"><b>Warning:</b> {escaped(text)}</p>')


def code(text: object, *, block: bool = False) -> Html:
    """``text`` as a command or file shows it; a block keeps its lines."""
    inner = escaped(text)
    return Html(f"<pre>{inner}</pre>" if block else f"<code>{inner}</code>")


def link(target: str, words: str) -> Html:
    """A link to a file beside the page (a relative path), or to a place in the page ("#name").

    Raises ValueError: the target is an address with a scheme, such as "https:" or "javascript:".
    """
    if ":" in target.split("/", 1)[0]:
        raise ValueError(f"a report links to files beside it, not to '{target}'")
    return Html(f'<a href="{escaped(target)}">{escaped(words)}</a>')


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    numbers: bool | Sequence[int] = False,
    kind: str = "",
) -> Html:
    """A table; where it is wider than the screen it is scrolled.

    Parameters
    ----------
    heads : sequence of str
        Names of the columns; none: no line of names.
    rows : sequence of sequence
        Cells, texts or `Html`.
    numbers : bool or sequence of int, default False
        Columns of numbers, flush right: their indices, or True for all but the first.
    kind : str, default ""
        A class of the style; "stacked" puts the cells of a row below each other on a phone.
    """
    width = max([len(heads), *map(len, rows)])
    flush = set(range(1, width) if numbers is True else numbers or ())
    names = " ".join(filter(None, ("numbers" if flush else "", kind)))
    lines = [f'<table class="{escaped(names)}">' if names else "<table>"]

    def line(tag: str, cells: Sequence[object]) -> str:
        name = tag.split(" ")[0]
        marks = (' class="number"' if k in flush else "" for k in range(len(cells)))
        inner = (f"<{tag}{m}>{escaped(c)}</{name}>" for m, c in zip(marks, cells, strict=True))
        return f"<tr>{''.join(inner)}</tr>"

    if heads:
        lines.append(f"<thead>{line('th scope=col', heads)}</thead>")
    lines += ["<tbody>", *(line("td", row) for row in rows), "</tbody></table>"]
    return Html('<div class="wide">' + "\n".join(lines) + "</div>")


def values(pairs: Mapping[str, object] | Sequence[tuple[str, object]]) -> Html:
    """A table of names and what they are, a line each."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    rows = (f'<tr><th scope="row">{escaped(k)}</th><td>{escaped(v)}</td></tr>' for k, v in items)
    return Html('<div class="wide"><table><tbody>' + "\n".join(rows) + "</tbody></table></div>")


def image(picture: Figure | bytes, text: str, *, wide: bool = False, caption: str = "") -> Html:
    """A picture, kept in the page.

    Parameters
    ----------
    picture : Figure or bytes
        A matplotlib figure, or the bytes of a PNG or GIF file.
    text : str
        What is told to who does not see it.
    wide : bool, default False
        One of several panels: on a phone it is scrolled instead of made too small to read.
    caption : str, default ""
        Written below.

    Raises
    ------
    ValueError
        The bytes are neither of a PNG nor of a GIF file.
    """
    if isinstance(picture, bytes):
        content = picture
    else:
        buffer = io.BytesIO()
        picture.savefig(buffer, format="png", dpi=_DOTS)
        content = buffer.getvalue()
    if content.startswith(b"\x89PNG\r\n"):
        kind = "png"
    elif content.startswith(b"GIF8"):
        kind = "gif"
    else:
        raise ValueError("a picture of a page is a PNG or GIF file")
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
    shown = f'<img alt="{escaped(text)}" src="{source}">'
    if wide:
        shown = f'<div class="wide">{shown}</div>'
    below = f"<figcaption>{escaped(caption)}</figcaption>" if caption else ""
    return Html(f"<figure>{shown}{below}</figure>")


def data_block(name: str, content: Any) -> Html:
    """What a script of the page reads: ``content`` as JSON in an element with the id ``name``.

    Raises ValueError: it holds NaN or infinity, which JSON does not know.
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # no text in it may end the element or begin a comment
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return Html(f'<script type="application/json" id="{escaped(name)}">{text}</script>')
