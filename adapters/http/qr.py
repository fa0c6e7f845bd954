"""QR codes as images."""

import segno


def data_uri(text: str) -> str:
    """A QR code of ``text`` as an SVG in a ``data:`` address, for a screen or for paper.

    Making one takes some ten milliseconds: not for the event loop's own thread.
    """
    code = segno.make(text, error="m", micro=False)
    return str(code.svg_data_uri(scale=8, border=4, light="#fff"))
