"""Contents of messages: which there are, and what they are."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.line.contents import (
    HEAD_BYTES,
    MEDIA_TYPES,
    UNKNOWN_TYPE,
    has_content,
    path_of,
    sniffed,
)
from tests.support.line import event


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"GIF89a....", "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "video/mp4"),
        (b"\0\0\0\x14ftypqt  ", "video/quicktime"),
        (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
        (b"%PDF-1.7", "application/pdf"),
        (b"<html><script>", UNKNOWN_TYPE),
        (b"<svg onload=x>", UNKNOWN_TYPE),
        (b"", UNKNOWN_TYPE),
    ],
)
def test_a_file_says_itself_what_it_is(head: bytes, media_type: str) -> None:
    """By its first bytes, and nothing that a browser runs is among what is known."""
    assert sniffed(head) == media_type


@given(st.binary(max_size=40))
def test_a_beginning_is_enough(content: bytes) -> None:
    """What comes behind changes nothing, and every type is one that is documented."""
    found = sniffed(content)
    assert found == sniffed(content[:HEAD_BYTES])
    assert found in (*MEDIA_TYPES, UNKNOWN_TYPE)
    assert not found.startswith("text/")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"message_kind": "image"}, True),
        ({"message_kind": "file"}, True),
        ({"message_kind": "image", "content_external": True}, False),
        ({"message_kind": "text"}, False),
        ({"message_kind": "image", "known": False}, False),
        ({"message_kind": "image", "message_id": "../../etc/passwd"}, False),
        ({"message_kind": "image", "message_id": ""}, False),
    ],
)
def test_only_what_the_platform_has_is_asked_for(fields: dict[str, Any], expected: bool) -> None:
    """And only under an id that can be a file's name."""
    assert has_content(event("message", 1, **({"message_id": "4711"} | fields))) is expected
    assert not has_content(event("postback", 1, message_kind="image", message_id="1"))


def test_a_path_names_channel_and_message() -> None:
    """Below the folder of contents."""
    assert path_of("acme-shop", "4711") == "acme-shop/4711"
