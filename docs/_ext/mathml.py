"""Equations as MathML, so that the pages need neither a script nor a network."""

from __future__ import annotations

import html
from typing import Any

from latex2mathml.converter import convert


def _inline(self: Any, node: Any) -> None:
    from docutils.nodes import SkipNode

    self.body.append(convert(node.astext()))
    raise SkipNode


def _block(self: Any, node: Any) -> None:
    from docutils.nodes import SkipNode

    # an amsmath environment of MyST has neither number nor label
    number = node.get("number") or ""
    if number:
        number = f'<span class="eqno">({html.escape(str(number))})</span>'
    label = node.get("label")
    identity = f' id="equation-{html.escape(label)}"' if label else ""
    math = convert(node.astext(), display="block")
    self.body.append(f'<div class="math"{identity}>{number}{math}</div>')
    raise SkipNode


def setup(app: Any) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
