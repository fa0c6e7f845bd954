"""The routes on disk: a start with the database down still forwards."""

import contextlib
import os
from pathlib import Path

import msgspec

from adapters.storage.provisioning import RouteCache
from gateway.domain.routing import TrackedNumber

_CHUNK = 500
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(list[TrackedNumber]).decode


def save(cache: RouteCache, path: Path) -> None:
    """Replace the snapshot with the routes of ``cache``; meant for a thread of its own.

    Raises:
        OSError: the disk refuses; the former snapshot stays.
    """
    numbers = list(cache.numbers.values())
    # Processes that share the folder each write their own; the last one to finish wins.
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            # In pieces: a hundred thousand routes encoded at once would hold up the loop.
            pieces = range(0, len(numbers), _CHUNK)
            file.writelines(_encode(numbers[at : at + _CHUNK]) + b"\n" for at in pieces)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def load(path: Path) -> RouteCache:
    """A cache with the routes of the snapshot; an empty one where there is none.

    Raises:
        msgspec.DecodeError: the file is damaged.
    """
    cache = RouteCache()
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            try:
                cache.numbers.update((route.number, route) for route in _decode(line))
            except UnicodeDecodeError as error:
                raise msgspec.DecodeError("it is not UTF-8") from error
    return cache
