"""The frame that every page stands in: head, style, what is on the page, its sections.

Here: one function from pieces to the bytes of a page. Not here: what the pieces say.

A page loads nothing: no script, no font, no picture, and its own policy forbids them, so that text from data cannot
bring any.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from lakehouse.report.markup import Html, el, join

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def document(
    title: str, header: Html, parts: Sequence[tuple[str, str, Html]], footer: Html, style: Html | None = None
) -> bytes:
    """Give a page: UTF-8, self-contained HTML. `parts` are sections `(id, heading, body)`, `style` is CSS of its own."""
    nav = el("nav", *(el("a", heading, href=f"#{name}") for name, heading, _ in parts), aria_label="On this page")
    main = el(
        "main",
        *(
            el("section", el("h2", heading, id=f"{name}-title"), body, id=name, aria_labelledby=f"{name}-title")
            for name, heading, body in parts
        ),
        id="main",
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("link", rel="icon", href="data:,"),
        el("title", title),
        el("style", stylesheet("lakehouse.report", "style.css"), style),
    )
    skip = el("a", "To the numbers", href="#main", class_="skip")
    body = el("body", skip, header, nav, main, footer)
    page = join(Html("<!doctype html>\n"), el("html", head, body, lang="en"), "\n")
    return page.encode("utf-8", "backslashreplace")


@cache
def stylesheet(package: str, name: str) -> Html:
    """Read CSS that lies beside the code."""
    return Html(files(package).joinpath(name).read_text(encoding="utf-8"))
