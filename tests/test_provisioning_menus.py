"""Rich menus in provisioning files: their pictures, and start pictures that are drawn."""

import io
import struct
import zlib
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gateway.domain.effects import NEVER
from gateway.domain.line.channel import Channel
from gateway.domain.menus import Area, RichMenu
from gateway.domain.provisioning import Entity, Held, Plan
from gateway.domain.tenancy import Advertiser
from gateway.errors import Misconfigured
from gateway.provisioning import pictures, read
from gateway.provisioning.pictures import SIZES, Tile, draw, read_picture, tile_box
from gateway.tomlfile import Wrong
from gateway.usecases.provisioning import difference

HELD: dict[str, dict[str, Entity]] = {
    "advertiser": {"acme": Advertiser("acme", "Acme")},
    "line_channel": {"shop": Channel("shop", "acme", "1", "secret")},
}
PICTURES = Path(__file__).parent / "provisioning/pictures"
START = '[[rich_menu]]\nid = "main"\nadvertiser = "acme"\nchannel = "shop"\ntitle = "メニュー"\n'
CALL = 'action = { type = "uri", uri = "tel:+81312345678" }'


def planned(folder: Path, text: str) -> Plan:
    path = folder / "menus.toml"
    path.write_text(START + text)
    return read([path], HELD)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        planned(folder, text)
    return [line.partition("main: ")[2] for line in caught.value.problems]


def the_menu(plan: Plan) -> RichMenu:
    (menu,) = plan.wanted
    assert isinstance(menu, RichMenu)
    return menu


def opened(plan: Plan) -> Image.Image:
    return Image.open(io.BytesIO(plan.blobs["rich_menu", "main"].body))


@pytest.mark.parametrize(
    ("name", "size", "media_type"),
    [
        ("large.png", "large", "image/png"),
        ("compact.png", "compact", "image/png"),
        ("custom.jpg", "custom", "image/jpeg"),
        ("custom.png", "custom", "image/png"),
    ],
)
def test_an_image_is_kept_as_it_is(tmp_path: Path, name: str, size: str, media_type: str) -> None:
    """Its bytes go into the plan, its hash and measures into the menu; paths start at the file."""
    body = (PICTURES / name).read_bytes()
    (tmp_path / "art").mkdir()
    (tmp_path / "art" / name).write_bytes(body)
    area = f"areas = [{{ x = 1, y = 2, width = 30, height = 40, {CALL} }}]"
    plan = planned(tmp_path, f'size = "{size}"\nimage = "art/{name}"\ndefault = true\n{area}\n')
    menu, blob = the_menu(plan), plan.blobs["rich_menu", "main"]
    assert (blob.body, blob.media_type, blob.hash) == (body, media_type, menu.picture)
    assert (menu.width, menu.height) == opened(plan).size
    assert menu.areas == (Area(1, 2, 30, 40, {"type": "uri", "uri": "tel:+81312345678"}),)
    assert (menu.begins, menu.until, menu.selected) == (0, NEVER, True)


def test_a_grid_is_drawn_and_can_be_tapped(tmp_path: Path) -> None:
    """Each cell is a tile of its colour, and its area covers the tile; applying again is no
    change.
    """
    cells = ", ".join(
        f'{{ label = "{label}", color = "{color}", {CALL} }}'
        for label, color in [("Book", "#06c755"), ("Call", "#1122AA"), ("Map", "#ffffff")]
    )
    text = f'size = "compact"\nalias = "a"\ngrid = {{ columns = 3, rows = 1, cells = [{cells}] }}\n'
    plan = planned(tmp_path, text)
    menu, image = the_menu(plan), opened(plan).convert("RGB")
    assert image.size == (2500, 843)
    corners = [image.getpixel((area.x + 60, area.y + 60)) for area in menu.areas]
    assert corners == [(0x06, 0xC7, 0x55), (0x11, 0x22, 0xAA), (255, 255, 255)]
    assert sum(area.width for area in menu.areas) == 2500
    assert len(plan.blobs["rich_menu", "main"].body) < 100_000
    assert plan.notes == ()
    held: Held = HELD | {"rich_menu": {"main": menu}}
    assert difference(1, held, planned(tmp_path, text)).changes == ()


def test_an_image_may_stand_in_for_the_drawn_one(tmp_path: Path) -> None:
    """A designer's picture takes the place of the start picture; the grid still says what a tap
    does.
    """
    image = f'image = "{PICTURES / "large.png"}"\n'
    grid = f'grid = {{ columns = 1, rows = 1, cells = [{{ label = "予約", {CALL} }}] }}\n'
    plan = planned(tmp_path, f"default = true\n{image}{grid}")
    assert plan.blobs["rich_menu", "main"].body == (PICTURES / "large.png").read_bytes()
    assert [(a.width, a.height) for a in the_menu(plan).areas] == [(2500, 1686)]


def test_without_a_japanese_font_tiles_are_numbered_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever applies reads which font to install; nothing fails for want of one."""
    monkeypatch.setattr(pictures, "_FONTS", ())
    pictures._font_file.cache_clear()
    draw.cache_clear()
    try:
        grid = f'grid = {{ columns = 1, rows = 1, cells = [{{ label = "予約", {CALL} }}] }}\n'
        plan = planned(tmp_path, f"default = true\n{grid}")
        (note,) = plan.notes
        assert note.startswith(f"{tmp_path}/menus.toml: [[rich_menu]] main: grid: this machine")
        numbered = draw(SIZES["large"], 1, 1, (Tile("1", "#06c755"),))
        assert plan.blobs["rich_menu", "main"] == numbered.blob
    finally:
        pictures._font_file.cache_clear()
        draw.cache_clear()


@given(
    st.sampled_from(list(SIZES.values())),
    st.integers(1, 5),
    st.integers(1, 4),
)
def test_tiles_fill_the_picture(size: tuple[int, int], columns: int, rows: int) -> None:
    """They lie side by side: no pixel is left out, and none is in two."""
    boxes = [tile_box(size, columns, rows, ordinal) for ordinal in range(columns * rows)]
    assert sum((right - left) * (bottom - top) for left, top, right, bottom in boxes) == (
        size[0] * size[1]
    )
    assert boxes[0][:2] == (0, 0)
    assert boxes[-1][2:] == size
    for left, right in pairwise(boxes):
        assert left[2] == right[0] or right[0] == 0


def test_the_longest_label_stays_on_its_tile() -> None:
    """Twenty wide letters on the narrowest tile leave the tile's edge as it is."""
    size = SIZES["compact"]
    tiles = tuple(Tile("W" * 20, "#000000") for _ in range(20))
    image = Image.open(io.BytesIO(draw(size, 5, 4, tiles).blob.body)).convert("RGB")
    left, top, right, bottom = tile_box(size, 5, 4, 7)
    middle = (top + bottom) // 2
    for x in (left + 12, right - 13):
        assert image.getpixel((x, middle)) == (0, 0, 0)


def _png(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG with a header of these measures."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "is no whole JPEG or PNG"),
        (b"<svg/>", "is no whole JPEG or PNG"),
        (_png(2500, 843, b"\0" * 100), "is no whole JPEG or PNG"),
        (_png(30_000, 30_000), "is far too large a picture"),
        (_png(12_000, 12_000), "is far too large a picture"),
        (_png(2501, 843), "measures 2501 × 843"),
        (b"\xff" * 1_000_001, "is too large"),
    ],
    ids=["empty", "svg", "short", "bomb", "large", "wide", "heavy"],
)
def test_what_is_no_fit_picture_is_told(tmp_path: Path, body: bytes, what: str) -> None:
    """By its content, whatever its name says, and before anything is unpacked."""
    path = tmp_path / "menu.png"
    path.write_bytes(body)
    with pytest.raises(Wrong, match=f"^{what}"):
        read_picture(path)


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    """What cannot be read says so, like any other mistake."""
    (told,) = problems(
        tmp_path,
        f'image = "."\ndefault = true\ngrid = {{ columns = 1, rows = 1, '
        f'cells = [{{ label = "a", {CALL} }}] }}\n',
    )
    assert told == 'image = ".": cannot be read (Is a directory); name a file that exists'


def test_tabs_may_switch_to_menus_that_the_store_holds(tmp_path: Path) -> None:
    """An alias need not be in the same file, only on the same channel."""
    tab: Entity = RichMenu("b", "acme", "shop", "B", 800, 270, "0", "image/png", alias="tab-b")
    switch = 'action = { type = "richmenuswitch", richMenuAliasId = "tab-b", data = "b" }'
    path = tmp_path / "menus.toml"
    path.write_text(
        f"{START}default = true\n"
        f'grid = {{ columns = 1, rows = 1, cells = [{{ label = "b", {switch} }}] }}\n'
    )
    assert read([path], HELD | {"rich_menu": {"b": tab}}).wanted
    with pytest.raises(Misconfigured, match="alias of no menu"):
        read([path], HELD)
