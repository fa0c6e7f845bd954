"""The end of an advertiser's mail (rule R81), for the command line."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

import msgspec

from adapters.storage.database import reading
from adapters.storage.mail.sealing import SealReader
from adapters.storage.provisioning import ProvisioningInTransaction, RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.config import Config
from gateway.domain.mail.lists import MailList
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import EVERYBODY
from gateway.errors import Misconfigured, Transient, Trouble
from gateway.main.mail.files import ImportFiles
from gateway.main.mail.importing import files_of
from gateway.main.store import beside, connected, database_of, execute, provisioned
from gateway.usecases.mail.retention import Seal, seal
from gateway.usecases.mail.views import import_of

_TRIES = 20
_PAUSE_SECONDS = 0.1


class Kept(msgspec.Struct, frozen=True):
    """What there is of an advertiser's mail."""

    counts: Mapping[str, int]
    """How many rows of what would be erased, by the names that people call it."""
    proofs: int
    lists: tuple[str, ...]
    """Its lists that are provisioned, by id: through them more may come in."""


def kept_of(config: Config, advertiser: str) -> Kept:
    """What there is of an advertiser's mail.

    Raises:
        Misconfigured: there is no such advertiser, and nothing of one.
        Transient: the store is away.
    """
    _, held = provisioned(config)
    reader = SealReader(database_of(config).dialect)
    with beside(config) as connection, reading(connection):
        counts = reader.counts(connection, advertiser)
        proofs = reader.proofs(connection, advertiser)
    if advertiser not in held[Advertiser.table] and not proofs and not any(counts.values()):
        raise Misconfigured([f"{advertiser}: there is no such advertiser, and nothing of it"])
    lists = sorted(
        each.id
        for each in held[MailList.table].values()
        if isinstance(each, MailList) and each.advertiser == advertiser
    )
    return Kept(counts, proofs, tuple(lists))


class Sealed(msgspec.Struct, frozen=True):
    """What an advertiser's mail came to."""

    rows: int
    """How many were erased, or emptied."""
    proofs: int


def seal_mail(config: Config, advertiser: str, progress: Callable[[int], None]) -> Sealed:
    """Erase an advertiser's mail but for sealed proofs, stops and figures; works beside the
    daemons. Where it is killed, it is run again.

    ``progress`` is told how many there were so far. Files that wait to be taken in are dropped on
    this machine alone.

    Raises:
        Refused: a campaign is not over.
        Transient: a file of recipients is being taken in, or the store is away.
    """
    files = files_of(config)
    with ExitStack() as stack:
        theirs = _held_files(config, files, advertiser, stack)
        rows = _sealed(config, advertiser, progress)
        for id_ in theirs:
            files.drop(id_)
    with beside(config) as connection, reading(connection):
        return Sealed(rows, SealReader(database_of(config).dialect).proofs(connection, advertiser))


def _held_files(config: Config, files: ImportFiles, advertiser: str, stack: ExitStack) -> list[int]:
    """The files of an advertiser's imports, held against whoever would take them in."""
    theirs = []
    for id_ in files.waiting():
        imported = execute(config, import_of, id_)
        if imported is None or imported.advertiser != advertiser:
            continue
        if not stack.enter_context(files.locked(id_)):
            why = f"import {id_} is being taken in: wait for its end"
            raise Transient(Trouble.STORE_BUSY, why)
        theirs.append(id_)
    return theirs


def _sealed(config: Config, advertiser: str, progress: Callable[[int], None]) -> int:
    rows = failures = 0
    while True:
        try:
            with connected(config) as (connection, sql):
                cache = RouteCache()  # nothing of what is provisioned is asked for
                cache.version = ProvisioningInTransaction(connection, sql.provisioning).version(
                    EVERYBODY
                )
                connection.rollback()
                while True:
                    tx = StoreTransaction(connection, sql, cache)
                    done, _ = seal(tx, Seal(advertiser, "cli", time.time_ns() // 1000))
                    tx.flush()
                    connection.commit()
                    if not done:
                        return rows
                    rows, failures = rows + done, 0
                    progress(rows)
        except Transient:  # a daemon was faster, or the store is away for a moment
            failures += 1
            if failures > _TRIES:
                raise
            time.sleep(_PAUSE_SECONDS)
