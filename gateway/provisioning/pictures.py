"""Pictures of rich menus: a file is checked as the platform would, a start picture is drawn."""

import functools
import io
import warnings
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gateway.domain.provisioning import Blob
from gateway.tomlfile import Wrong

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont
    from PIL.ImageFont import ImageFont as BitmapFont

# Source: "Requirements for rich menu image" of
# https://developers.line.biz/en/reference/messaging-api/#upload-rich-menu-image
MOST_BYTES = 1_000_000
LEAST_WIDTH, MOST_WIDTH = 800, 2500
LEAST_HEIGHT = 250
LEAST_RATIO = 1.45

SIZES = {"large": (2500, 1686), "compact": (2500, 843)}
"""Width and height of the sizes that have a name."""

_GAP = 8  # pixels between two tiles

_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Bold.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Bold.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Bold.ttc",
    "/usr/share/fonts/opentype/ipaexfont-gothic/ipaexg.ttf",
    "/usr/share/fonts/opentype/ipafont-gothic/ipagp.ttf",
    "/usr/share/fonts/truetype/vlgothic/VL-PGothic-Regular.ttf",
    "/usr/share/fonts/truetype/takao-gothic/TakaoPGothic.ttf",
    "/System/Library/Fonts/ヒラギノ角ゴシック W6.ttc",
    "C:/Windows/Fonts/YuGothB.ttc",
    "C:/Windows/Fonts/meiryob.ttc",
)
"""Where Japanese fonts usually lie; the first one that is there is used."""

NO_FONT = (
    "grid: this machine has no Japanese font, so its tiles show numbers; install one (Debian: "
    "fonts-noto-cjk) and apply again, or give the menu an image"
)


class Picture(msgspec.Struct, frozen=True):
    """A picture with its measures."""

    blob: Blob
    width: int
    height: int


def read_picture(path: Path) -> Picture:
    """The picture in a file.

    Raises:
        Wrong: it cannot be read, or the platform would not take it.
    """
    # The daemon reads no such file, and is spared the memory of the library.
    from PIL import Image  # noqa: PLC0415 - see above

    try:
        with path.open("rb") as stream:
            body = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file's name"
        raise Wrong(f"cannot be read ({reason})", "name a file that exists") from error
    if len(body) > MOST_BYTES:
        raise Wrong("is too large", f"save it with at most {MOST_BYTES:,} bytes")
    unreadable = Wrong("is no whole JPEG or PNG", "save the picture as one of them")
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            # The header alone: nothing is unpacked before its measures are known to be small.
            with Image.open(io.BytesIO(body), formats=("JPEG", "PNG")) as image:
                width, height = image.size
                if told := _measures(width, height):
                    raise Wrong(f"measures {width} × {height}", told)
                image.load()
                media_type = "image/png" if image.format == "PNG" else "image/jpeg"
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise Wrong("is far too large a picture", "make it smaller") from None
        except (OSError, SyntaxError, ValueError):
            raise unreadable from None
    return Picture(_blob(body, media_type), width, height)


def _measures(width: int, height: int) -> str:
    """What to do about a size that the platform does not take; empty where it does."""
    if not LEAST_WIDTH <= width <= MOST_WIDTH:
        return f"make it {LEAST_WIDTH} to {MOST_WIDTH} pixels wide"
    if height < LEAST_HEIGHT:
        return f"make it {LEAST_HEIGHT} pixels high, or more"
    if width < height * LEAST_RATIO:
        return f"make it at least {LEAST_RATIO} times as wide as it is high"
    return ""


class Tile(msgspec.Struct, frozen=True):
    """One tile of a drawn picture."""

    label: str
    color: str
    """As ``#rrggbb``."""


def can_write(labels: Sequence[str]) -> bool:
    """Whether this machine has a font for ``labels``."""
    return _font_file() is not None or all(label.isascii() for label in labels)


def tile_box(size: tuple[int, int], columns: int, rows: int, ordinal: int) -> tuple[int, ...]:
    """Left, top, right and bottom of a tile; all of them together fill the picture."""
    width, height = size
    column, row = ordinal % columns, ordinal // columns
    return (
        width * column // columns,
        height * row // rows,
        width * (column + 1) // columns,
        height * (row + 1) // rows,
    )


@functools.lru_cache(maxsize=32)
def draw(size: tuple[int, int], columns: int, rows: int, tiles: tuple[Tile, ...]) -> Picture:
    """A start picture: a coloured tile with its label for each cell. Labels that no font of this
    machine can write become numbers, the first tile's is 1.
    """
    from PIL import Image, ImageColor, ImageDraw  # noqa: PLC0415 - as above

    image = Image.new("RGB", size, "#ffffff")
    pen = ImageDraw.Draw(image)
    for ordinal, tile in enumerate(tiles):
        left, top, right, bottom = tile_box(size, columns, rows, ordinal)
        inner = (left + _GAP, top + _GAP, right - _GAP - 1, bottom - _GAP - 1)
        pen.rounded_rectangle(inner, radius=32, fill=tile.color)
        red, green, blue = ImageColor.getrgb(tile.color)[:3]
        is_light = 299 * red + 587 * green + 114 * blue > 160_000
        text = tile.label if can_write([tile.label]) else str(ordinal + 1)
        middle = ((left + right) / 2, (top + bottom) / 2)
        font = _fitting(text, right - left - 10 * _GAP, bottom - top)
        pen.text(middle, text, "#202020" if is_light else "#ffffff", font, anchor="mm")
    written = io.BytesIO()
    # Some 200 colours hold tiles and their letters' edges, at a third of the bytes.
    image.quantize(200).save(written, "PNG", optimize=True)
    return Picture(_blob(written.getvalue(), "image/png"), *size)


def _fitting(text: str, width: int, height: int) -> "FreeTypeFont | BitmapFont":
    """The font in the largest size in which ``text`` stands on one line of ``width`` pixels."""
    from PIL import ImageFont  # noqa: PLC0415 - as above

    file = _font_file()

    def at(size: int) -> "FreeTypeFont | BitmapFont":
        return ImageFont.truetype(file, size) if file else ImageFont.load_default(size)

    size = height // 4
    while size > 12 and at(size).getlength(text) > width:
        size = size * 9 // 10
    return at(size)


@functools.cache
def _font_file() -> str | None:
    return next((file for file in _FONTS if Path(file).is_file()), None)


def _blob(body: bytes, media_type: str) -> Blob:
    return Blob(sha256(body).hexdigest(), media_type, body)
