"""Imports of recipients: a file's lines into a list, piece by piece, each line with its outcome."""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.domain.mail import consent
from gateway.domain.mail.consent import Stated
from gateway.domain.mail.importing.imports import Import, Outcome
from gateway.domain.mail.importing.lines import DOUBLED, NOT_CORRECTED, Line
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.profiles import merged
from gateway.domain.mail.recipients import Consent, Recipient, Suppression
from gateway.domain.mail.tokens import Keys, hash_of
from gateway.domain.values import EVERYBODY, Draw, Scope, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.mail.locks import Locking, MailLocks
from gateway.usecases.mail.lists import consent_of, entry, list_of, wholly_stopped

AT_ONCE = 300
"""Lines that one unit takes in at most: measured, it holds the writer for 9 ms (500: 15 ms)."""

IDS = 2 * AT_ONCE
"""Ids that the seed of such a unit has to have."""


class Begin(msgspec.Struct, frozen=True):
    """A file that was examined, and is to be taken in."""

    scope: Scope
    list: str
    name: str
    """What whoever uploads calls it."""
    actor: str
    now: int
    seed: Seed
    """With one id."""
    states_consent: bool = False
    """Whether each line states its own consent."""
    consent: Stated | None = None
    """What is stated of the whole file, where the lines state nothing."""
    corrects: bool = True
    """Whether it may change attributes and tags of who is there already: not for the operator."""


def begin(tx: Transaction, wish: Begin) -> tuple[Import, Sequence[Fact]]:
    """Begin an import.

    Raises:
        Refused: there is no such list, or neither the lines nor whoever uploads states when, how
            and on what notice the recipients consented (rules R73, R102).
    """
    mail_list = list_of(tx, wish.scope, wish.list)
    stated = None
    if not wish.states_consent:
        if wish.consent is None:
            raise Refused(Refusal.CONSENT_MISSING, "state when and how the recipients consented")
        stated = consent.checked(wish.consent, wish.now)
    imported = Import(
        id=wish.seed.draw().id(),
        advertiser=mail_list.advertiser,
        list=mail_list.id,
        at=wish.now,
        actor=wish.actor,
        name=wish.name[:200],
        consent=consent.encode_stated(stated),
        corrects=wish.corrects,
    )
    tx.mail.entrance.imports.add(EVERYBODY, imported)
    detail = {"list": mail_list.id, "consent": "lines" if stated is None else "file"}
    _audit(tx, imported, wish.now, wish.actor, "mail.import_begun", detail)
    return imported, ()


class Take(Locking, frozen=True):
    """The next lines of an import, at most :data:`AT_ONCE`, in order."""

    scope: Scope
    imported: int
    lines: tuple[Line, ...]
    now: int
    seed: Seed
    """With :data:`IDS` ids, or twice as many as there are lines."""
    keys: Keys

    @property
    def locks(self) -> MailLocks:
        """The sizes of the import's advertiser."""
        return MailLocks(ids=(self.imported,))


def take(tx: Transaction, wish: Take) -> tuple[Import, Sequence[Fact]]:
    """Take lines in. Those that were taken in before (a run died, and another goes on) are passed
    over, so that every line counts once.

    Raises:
        Refused: there is no such import, it is over, or its list is gone.
    """
    imported = _running(tx, wish.scope, wish.imported)
    lines = [line for line in wish.lines[:AT_ONCE] if line.line > imported.line]
    if not lines:
        return imported, ()
    mail_list = list_of(tx, wish.scope, imported.list)
    unit = _Unit(tx, mail_list, imported, wish)
    unit.take(lines)
    unit.keep()
    counts = {name: getattr(imported, name) + unit.counts[name] for name in unit.counts}
    after = msgspec.structs.replace(imported, line=lines[-1].line, reason="", **counts)
    tx.mail.entrance.imports.save(EVERYBODY, after, unit.report)
    return after, ()


class Stuck(msgspec.Struct, frozen=True):
    """An import that cannot go on for now."""

    imported: int
    why: str


def stuck(tx: Transaction, job: Stuck) -> tuple[None, Sequence[Fact]]:
    """Tell whoever looks at an import why it does not get on; it goes away with its next lines."""
    imported = tx.mail.entrance.imports.find(EVERYBODY, job.imported)
    if imported is not None and imported.state == "running":
        after = msgspec.structs.replace(imported, reason=job.why)
        tx.mail.entrance.imports.save(EVERYBODY, after, ())
    return None, ()


class End(msgspec.Struct, frozen=True):
    """An import that comes to its end."""

    scope: Scope
    imported: int
    now: int
    fault: str = ""
    """What was wrong with the file as a whole; empty: all its lines were taken in."""


def finish(tx: Transaction, wish: End) -> tuple[Import, Sequence[Fact]]:
    """End an import; one that is over stays as it is.

    Raises:
        Refused: there is no such import.
    """
    imported = tx.mail.entrance.imports.find(wish.scope, wish.imported)
    if imported is None:
        raise Refused(Refusal.NOT_FOUND, "there is no such import")
    if imported.state != "running":
        return imported, ()
    after = msgspec.structs.replace(
        imported,
        state="refused" if wish.fault else "done",
        reason=wish.fault[:500],
        ended_at=wish.now,
    )
    tx.mail.entrance.imports.save(EVERYBODY, after, ())
    names = ("line", "added", "updated", "unchanged", "suppressed", "refused")
    detail = {name: getattr(after, name) for name in names}
    _audit(tx, after, wish.now, imported.actor, f"mail.import_{after.state}", detail)
    return after, ()


def _running(tx: Transaction, scope: Scope, imported: int) -> Import:
    found = tx.mail.entrance.imports.find(scope, imported)
    if found is None:
        raise Refused(Refusal.NOT_FOUND, "there is no such import")
    if found.state != "running":
        raise Refused(Refusal.IMPORT_OVER, "the import is over")
    return found


class _Unit:
    """The lines of one transaction: first all is read, then decided, then written."""

    def __init__(self, tx: Transaction, mail_list: MailList, imported: Import, wish: Take) -> None:
        self.report: list[tuple[int, Outcome, str]] = []
        self.counts: dict[str, int] = dict.fromkeys(
            ("added", "updated", "unchanged", "suppressed", "refused"), 0
        )
        self._tx = tx
        self._list = mail_list
        self._import = imported
        self._wish = wish
        self._draw: Draw = wish.seed.draw()
        self._stated = consent.decode_stated(imported.consent)
        self._stops: dict[bytes, Sequence[Suppression]] = {}
        self._known: dict[bytes, Recipient] = {}
        self._tags: dict[int, frozenset[str]] = {}
        self._said: dict[int, set[tuple[int, str, str]]] = {}
        self._saved: dict[bytes, Recipient] = {}
        self._consents: list[Consent] = []
        self._tagged: dict[tuple[str, ...], dict[int, Recipient]] = {}

    def take(self, lines: Sequence[Line]) -> None:
        """Decide about lines."""
        keys = self._wish.keys
        hashes = {line.line: hash_of(line.address, keys) for line in lines if line.address}
        self._read(sorted(set(hashes.values())))
        for line in lines:
            stated = line.consent or self._stated
            if line.fault is not None or not line.address:
                self._tell(line, "refused", line.fault or "empty")
            elif stated is None:
                self._tell(line, "refused", "consent_missing")
            elif wholly_stopped(
                self._stops.get(hashes[line.line], ()), self._list.id, self._wish.now
            ):
                self._tell(line, "suppressed", "")
            else:
                self._enter(line, hashes[line.line], stated)

    def keep(self) -> None:
        """Write what was decided."""
        tx = self._tx
        if self._saved:
            tx.mail.recipients.save(EVERYBODY, list(self._saved.values()), self._wish.now)
        if self._consents:
            tx.mail.consents.add(EVERYBODY, self._consents)
        for tags, recipients in self._tagged.items():
            tx.mail.tags.add(EVERYBODY, list(recipients.values()), tags)

    def _read(self, hashes: Sequence[bytes]) -> None:
        mail = self._tx.mail
        self._stops = dict(mail.suppressions.of(EVERYBODY, self._list.advertiser, hashes))
        self._known = dict(mail.recipients.find(EVERYBODY, self._list.id, hashes))
        ids = [recipient.id for recipient in self._known.values()]
        if ids:
            self._tags = dict(mail.tags.of(EVERYBODY, ids))
        for id_ in ids:
            said = mail.consents.of(EVERYBODY, id_)
            self._said[id_] = {(each.at, each.evidence, each.notice) for each in said}

    def _enter(self, line: Line, hash_: bytes, stated: Stated) -> None:
        known = self._known.get(hash_)
        now = self._wish.now
        attributes, tags = line.attributes, line.tags
        reason = ""
        if known is not None and self._is_of_this_file(known):
            reason = DOUBLED
        elif known is not None and not self._import.corrects:
            reason = NOT_CORRECTED if self._differs(known, line) else ""
            attributes, tags = {}, ()
        recipient = entry(known, self._list, line.address, hash_, attributes, self._draw, now)
        has_changed = recipient != known
        if has_changed:
            self._saved[hash_] = self._known[hash_] = recipient
        has_changed |= self._tag(recipient, tags)
        has_changed |= self._consent(recipient, stated)
        if known is None:
            self._tell(line, "added", "")
        else:
            self._tell(line, "updated" if has_changed else "unchanged", reason)

    def _differs(self, known: Recipient, line: Line) -> bool:
        """Whether a line says something of somebody that is not known so."""
        had = self._tags.get(known.id, frozenset())
        is_told = merged(known.attributes, line.attributes) == known.attributes
        return not is_told or not had.issuperset(line.tags)

    def _is_of_this_file(self, known: Recipient) -> bool:
        """Whether somebody came onto the list since the import began, and so most likely by it."""
        return known.id > self._import.id

    def _tag(self, recipient: Recipient, tags: tuple[str, ...]) -> bool:
        had = self._tags.get(recipient.id, frozenset())
        if had.issuperset(tags):
            return False
        self._tags[recipient.id] = had | set(tags)
        self._tagged.setdefault(tags, {})[recipient.id] = recipient
        return True

    def _consent(self, recipient: Recipient, stated: Stated) -> bool:
        """Keep what was stated, unless it is on record; whether it was new."""
        said = self._said.setdefault(recipient.id, set())
        what = (stated.at, stated.told, stated.notice)
        if what in said:
            return False
        said.add(what)
        self._consents.append(
            consent_of(
                recipient,
                "import",
                stated.at,
                stated.told,
                stated.notice,
                self._draw,
                self._wish.now,
            )
        )
        return True

    def _tell(self, line: Line, outcome: Outcome, reason: str) -> None:
        self.counts[outcome] += 1
        if outcome != "added":
            self.report.append((line.line, outcome, reason))


def _audit(
    tx: Transaction,
    imported: Import,
    now: int,
    actor: str,
    action: str,
    detail: Mapping[str, object],
) -> None:
    tx.access.audit(EVERYBODY, now, actor, imported.advertiser, action, str(imported.id), detail)
