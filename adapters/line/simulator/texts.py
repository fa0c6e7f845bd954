"""How the platform counts characters.

Source: "Character counting in a text" of the platform's documentation.
"""

import unicodedata

_JOINER = "\u200d"


def units(text: str) -> int:
    """UTF-16 code units: what texts are limited by."""
    return len(text) + sum(character > "\uffff" for character in text)


def graphemes(text: str) -> int:
    """What a person takes for characters: what labels are limited by.

    Combining marks, variation selectors, skin tones and joined emoji count with what they follow,
    two regional indicators count once. Close enough for labels; not all of Unicode's annex 29.
    """
    count = 0
    joined = False
    flag = False
    for character in text:
        if _extends(character):
            joined = character == _JOINER
            continue
        regional = "\U0001f1e6" <= character <= "\U0001f1ff"
        if not joined and not (flag and regional):
            count += 1
        flag = regional and not flag
        joined = False
    return count


def _extends(character: str) -> bool:
    return (
        character == _JOINER
        or unicodedata.category(character) in {"Mn", "Me"}
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
    )
