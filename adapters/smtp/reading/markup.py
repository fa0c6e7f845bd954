"""The text of HTML."""

from html import unescape

_BREAKS = ("br", "/p", "/div", "/tr", "/h", "/li", "p")


def text_of(markup: str, quote: str = "") -> str:
    """HTML's text. What it quotes (``<blockquote>``) has ``quote`` before each line.

    Split instead of matched: a mail of nothing but ``<`` costs no more.
    """
    out: list[str] = []
    hidden, depth = False, 0
    for piece in markup.split("<"):
        tag, closed, rest = piece.partition(">")
        name = tag[:11].lower()
        if name.startswith(("style", "script")):
            hidden = True
        elif name.startswith(("/style", "/script")):
            hidden = False
        if hidden:
            continue
        is_quote = name.lstrip("/").startswith("blockquote")
        if is_quote:
            depth = max(0, depth + (-1 if name.startswith("/") else 1))
        before = quote if depth else ""
        if is_quote or name.startswith(_BREAKS):
            out.append(f"\n{before}")
        text = rest if closed else piece
        out.append(text.replace("\n", f"\n{before}") if before else text)
    return unescape("".join(out))
