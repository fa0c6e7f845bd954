"""Imports of recipients carried on: by the daemon, and by a command beside it."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from adapters.storage.database import reading
from adapters.storage.mail.reader import MailReader
from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.config import Config
from gateway.domain.mail.consent import Stated
from gateway.domain.mail.importing.imports import Import, Outcome
from gateway.domain.mail.importing.lines import Line
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.tokens import Keys
from gateway.domain.values import EVERYBODY, Ids, Seed
from gateway.errors import Misconfigured, Refused, Transient
from gateway.main.mail.files import ImportFiles, fault_of
from gateway.main.mail.lists import find_list
from gateway.main.parts import Chore, Deps
from gateway.main.store import beside, connected, database_of, execute
from gateway.ports import Lane
from gateway.ports.mail.pages import MailKeys
from gateway.usecases.mail.imports import (
    IDS,
    Begin,
    End,
    Stuck,
    Take,
    begin,
    finish,
    stuck,
    take,
)
from gateway.usecases.mail.lists import mail_keys
from gateway.usecases.mail.views import import_of

_LOOK_SECONDS = 0.5

_ORPHAN_SECONDS = 3600
"""A file without an import for so long was left behind by a process that died before it began."""

_STUCK_SECONDS = 60
_UNREADABLE = "the daemon's user may not read the file: give it to that user (chown)"
"""Of a file that only another user may read, and of which no line was taken in for so long."""

_PAGE = 500
_LINES = 5_000

_TRIES = 20
_PAUSE_SECONDS = 0.1


def files_of(config: Config) -> ImportFiles:
    """Where files of imports lie."""
    return ImportFiles(config.storage.state_dir / "imports")


# --- the daemon ---


def carrying(deps: Deps, files: ImportFiles, keys: MailKeys) -> Chore:
    """Take in the lines of all files that lie there, one unit after the other."""
    waited: dict[int, tuple[int, float]] = {}  # for whom another user's command may be at work

    async def chore() -> None:
        await asyncio.sleep(_LOOK_SECONDS)
        for imported in await asyncio.to_thread(files.waiting):
            if not files.is_readable(imported):
                await _wait(deps, files, imported, waited)
                continue
            with files.locked(imported) as is_ours:
                if is_ours:
                    await _carry(deps, files, keys, imported)

    return chore


async def _wait(
    deps: Deps, files: ImportFiles, id_: int, waited: dict[int, tuple[int, float]]
) -> None:
    """Another user's command is at work with a file, or was killed: then say so, once."""
    imported = await deps.store.run(import_of, id_, Lane.BACKGROUND)
    if imported is None or imported.state != "running":
        if files.age(id_) > _ORPHAN_SECONDS:
            files.drop(id_)
        return
    if imported.reason:
        return
    now = time.monotonic()
    line, since = waited.setdefault(id_, (imported.line, now))
    if line != imported.line:
        waited[id_] = (imported.line, now)
    elif now - since >= _STUCK_SECONDS:
        del waited[id_]
        deps.log.warning(
            "an import does not get on", id=id_, file=str(files.path(id_)), why=_UNREADABLE
        )
        await deps.store.run(stuck, Stuck(id_, _UNREADABLE), Lane.BACKGROUND)


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


Progress = Callable[[Import, int], object]
"""Told of an import after each piece of it, and how many lines its file has in all."""


class Interrupted(KeyboardInterrupt):
    """A person ended the command; a daemon goes on with the import, if it had ``begun``."""

    def __init__(self, begun: Import | None) -> None:
        super().__init__()
        self.begun = begun


def import_file(
    config: Config, list_: str, source: Path, stated: Stated | None, progress: Progress
) -> Import:
    """Take a file in beside the daemons; the import as it ended.

    Where the command is killed, a daemon of the same configuration goes on with it.

    Raises:
        Interrupted: by a person.
        Misconfigured: there is no such list, or the file cannot be read.
        OSError: the folder of imports cannot be written to.
        Refused: the file or the consent is unfit; nothing was taken in.
        Transient: the store is away.
    """
    mail_list = find_list(config, list_)
    keys = execute(config, mail_keys, secrets.token_bytes(32))
    files, ids, now = files_of(config), Ids(secrets.randbelow(1024)), _clock()
    first = _seed(ids, now, 1)
    id_ = first.draw().id()
    try:
        _copy(files, id_, mail_list.advertiser, source)
        with files.locked(id_):
            layout = files.examine_now(id_, mail_list)
            states = layout.states_consent
            # whoever may use the command line is the operator, who corrects nobody (rule R104)
            wish = Begin(
                EVERYBODY, list_, source.name, "cli", now, first, states, stated, corrects=False
            )
            begun = execute(config, begin, wish, settings=True)

            def tell(imported: Import) -> None:
                progress(imported, layout.rows)

            ended = _import(config, files, mail_list, keys, ids, begun, tell)
    except Refused:
        files.drop(id_)
        raise
    except KeyboardInterrupt:
        left = (each for each in list_imports(config, list_, id_ - 1) if each.id == id_)
        begun_before = next(left, None)
        if begun_before is None:
            files.drop(id_)
        raise Interrupted(begun_before) from None
    files.drop(id_)
    return ended


def _copy(files: ImportFiles, id_: int, advertiser: str, source: Path) -> None:
    try:
        files.copy(id_, advertiser, source)
    except OSError as error:
        if error.filename != str(source):
            raise
        why = f"cannot be read ({error.strerror}); name a file that exists and is readable"
        raise Misconfigured([f"{source}: {why}"]) from None


def list_imports(config: Config, list_: str, after: int = 0) -> Iterator[Import]:
    """What was taken into a list, or is on its way, the oldest first; with ids beyond ``after``.

    Raises:
        Misconfigured: there is no such list.
    """
    find_list(config, list_)
    reader = MailReader(database_of(config).dialect)
    with beside(config) as connection:
        while True:
            with reading(connection):
                found = reader.imports(connection, EVERYBODY, list_, after=after, limit=_PAGE)
            yield from found
            if len(found) < _PAGE:
                return
            after = found[-1].id


def lines_of(config: Config, imported: int) -> Iterator[tuple[int, Outcome, str]]:
    """The report of an import: what became of each line that was not simply added, and why."""
    after = 0
    reader = MailReader(database_of(config).dialect)
    with beside(config) as connection:
        while True:
            with reading(connection):
                found = reader.lines(connection, EVERYBODY, imported, after=after, limit=_LINES)
            yield from found
            if len(found) < _LINES:
                return
            after = found[-1][0]


def _import(
    config: Config,
    files: ImportFiles,
    mail_list: MailList,
    keys: Keys,
    ids: Ids,
    begun: Import,
    progress: Callable[[Import], object],
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
