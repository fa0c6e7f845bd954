"""Imports of recipients carried on: by the daemon, and by a command beside it."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path

from adapters.storage.database import reading
from adapters.storage.mail.reader import MailReader
from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.config import Config
from gateway.domain.mail.consent import Stated
from gateway.domain.mail.importing.imports import Import
from gateway.domain.mail.importing.lines import Line
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.tokens import Keys
from gateway.domain.values import EVERYBODY, Ids, Seed
from gateway.errors import Misconfigured, Refused, Transient
from gateway.main.mail.files import ImportFiles, fault_of
from gateway.main.parts import Chore, Deps
from gateway.main.store import beside, connected, database_of, execute, provisioned
from gateway.ports import Lane
from gateway.ports.mail.pages import MailKeys
from gateway.usecases.mail.imports import IDS, Begin, End, Take, begin, finish, take
from gateway.usecases.mail.lists import mail_keys
from gateway.usecases.mail.views import import_of

_LOOK_SECONDS = 0.5

_ORPHAN_SECONDS = 3600
"""A file without an import for so long was left behind by a process that died before it began."""

_PAGE = 500

_TRIES = 20
_PAUSE_SECONDS = 0.1


def files_of(config: Config) -> ImportFiles:
    """Where files of imports lie."""
    return ImportFiles(config.storage.state_dir / "imports")


# --- the daemon ---


def carrying(deps: Deps, files: ImportFiles, keys: MailKeys) -> Chore:
    """Take in the lines of all files that lie there, one unit after the other."""

    async def chore() -> None:
        await asyncio.sleep(_LOOK_SECONDS)
        for imported in await asyncio.to_thread(files.waiting):
            with files.locked(imported) as is_ours:
                if is_ours:
                    await _carry(deps, files, keys, imported)

    return chore


async def _carry(deps: Deps, files: ImportFiles, keys: MailKeys, id_: int) -> None:
    imported = await deps.store.run(import_of, id_, Lane.BACKGROUND)
    if imported is None:
        if files.age(id_) > _ORPHAN_SECONDS:
            files.drop(id_)
        return
    if imported.state == "running":
        fault = await _taken(deps, files, keys, imported)
        end = End(EVERYBODY, id_, deps.clock(), fault)
        imported = await deps.store.run(finish, end, Lane.BACKGROUND)
        deps.log.info("an import is over", id=id_, state=imported.state, lines=imported.line)
    files.drop(id_)


async def _taken(deps: Deps, files: ImportFiles, keys: MailKeys, imported: Import) -> str:
    """Take lines in to the end; what was wrong, if anything was."""
    mail_list = deps.store.entity(MailList, imported.list)
    if mail_list is None:
        return "the list is gone"
    secret = await keys.get()
    batches = files.batches(imported.id, mail_list, deps.clock(), imported.line)
    try:
        while batch := await files.beside(_next, batches):
            now = deps.clock()
            wish = Take(EVERYBODY, imported.id, batch, now, deps.seed(now, IDS), secret)
            await deps.store.run(take, wish, Lane.BACKGROUND)
    except Refused as refused:
        return fault_of(refused)
    return ""


def _next(batches: Iterator[tuple[Line, ...]]) -> tuple[Line, ...]:
    return next(batches, ())


# --- the command ---


def import_file(
    config: Config,
    list_: str,
    source: Path,
    stated: Stated | None,
    progress: Callable[[Import], None],
) -> Import:
    """Take a file in beside the daemons; the import as it ended.

    Where the command is killed, a daemon of the same configuration goes on with it.

    Raises:
        Misconfigured: there is no such list.
        OSError: the file cannot be read.
        Refused: the file or the consent is unfit; nothing was taken in.
        Transient: the store is away.
    """
    _, held = provisioned(config)
    mail_list = held[MailList.table].get(list_)
    if not isinstance(mail_list, MailList):
        raise Misconfigured([f"{list_}: there is no such mail list"])
    keys = execute(config, mail_keys, secrets.token_bytes(32))
    files, ids, now = files_of(config), Ids(secrets.randbelow(1024)), _clock()
    first = _seed(ids, now, 1)
    id_ = first.draw().id()
    try:
        files.copy(id_, source)
        with files.locked(id_):
            layout = files.examine_now(id_, mail_list)
            states = layout.states_consent
            # whoever may use the command line is the operator, who corrects nobody (rule R104)
            wish = Begin(
                EVERYBODY, list_, source.name, "cli", now, first, states, stated, corrects=False
            )
            begun = execute(config, begin, wish, settings=True)
            ended = _import(config, files, mail_list, keys, ids, begun, progress)
    except Refused:
        files.drop(id_)
        raise
    files.drop(id_)
    return ended


def list_imports(config: Config, list_: str) -> Iterator[Import]:
    """What was taken into a list, or is on its way, the oldest first."""
    after = 0
    reader = MailReader(database_of(config).dialect)
    with beside(config) as connection:
        while True:
            with reading(connection):
                found = reader.imports(connection, EVERYBODY, list_, after=after, limit=_PAGE)
            yield from found
            if len(found) < _PAGE:
                return
            after = found[-1].id


def list_mail_lists(config: Config) -> list[MailList]:
    """All mail lists, by id."""
    _, held = provisioned(config)
    lists = (each for each in held[MailList.table].values() if isinstance(each, MailList))
    return sorted(lists, key=attrgetter("id"))


def _import(
    config: Config,
    files: ImportFiles,
    mail_list: MailList,
    keys: Keys,
    ids: Ids,
    begun: Import,
    progress: Callable[[Import], None],
) -> Import:
    fault, failures = "", 0
    batches = files.batches(begun.id, mail_list, _clock(), 0)
    try:
        batch = next(batches, ())
        while batch:
            try:
                with connected(config) as (connection, sql):
                    cache = RouteCache()  # what is provisioned is read once
                    cache.refresh(connection, sql.provisioning)
                    connection.rollback()
                    while batch:
                        now = _clock()
                        wish = Take(EVERYBODY, begun.id, batch, now, _seed(ids, now, IDS), keys)
                        tx = StoreTransaction(connection, sql, cache)
                        imported, _ = take(tx, wish)
                        tx.flush()
                        connection.commit()
                        progress(imported)
                        batch, failures = next(batches, ()), 0
            except Transient:  # a daemon was faster, or the store is away for a moment
                failures += 1
                if failures > _TRIES:
                    raise
                time.sleep(_PAUSE_SECONDS)
    except Refused as refused:
        fault = fault_of(refused)
    return execute(config, finish, End(EVERYBODY, begun.id, _clock(), fault))


def _seed(ids: Ids, now: int, count: int) -> Seed:
    return Seed(ids.block(now, count), count, secrets.token_bytes(16))


def _clock() -> int:
    return time.time_ns() // 1000
