"""Stops: whoever says so gets no more mail, of a list or a topic, for good or until a day."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from gateway.domain.effects import NEVER
from gateway.domain.hours import TOKYO
from gateway.domain.mail.addresses import normalised
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.recipients import Source, Suppression
from gateway.domain.mail.tokens import Keys, hash_of
from gateway.domain.values import EVERYBODY, Scope, Seed, micros
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.mail.locks import Locking, MailLocks
from gateway.usecases.mail.lists import list_of

STOP = "stop"
"""The figure of a campaign that counts who stopped because of it, each once."""

_BY_THEMSELVES: frozenset[Source] = frozenset({"one_click", "page", "mail"})

NEVER_ASKED: frozenset[Source] = frozenset({"complaint", "deletion"})
"""Whoever is suppressed for these is not even asked whether they want to come back."""

_MOST_YEARS = 100


class Stop(Locking, frozen=True):
    """Somebody wants no more mail. Who: a recipient by id, or the sign-up that a single mail was
    about (from a token that was opened), else an address on a list.
    """

    source: Source
    now: int
    seed: Seed
    """With one id."""
    keys: Keys
    scope: Scope = EVERYBODY
    recipient: int = 0
    campaign: int = 0
    """Whose mail made them stop; 0: none is known."""
    address: str = ""
    list: str = ""
    """With an address; of a recipient it is their own."""
    topic: str = ""
    """Empty: everything of the list. One that the list does not have stops everything, too: who
    says stop is believed."""
    until: int = NEVER
    """From when on they may be mailed again, see :func:`end_of_day`."""
    actor: str = ""
    """Who entered it, where somebody of ours or of the contractor did: that is audited."""

    @property
    def locks(self) -> MailLocks:
        """The advertiser whose mail is stopped."""
        if self.recipient:
            return MailLocks(ids=(self.recipient,))
        return MailLocks(lists=(self.list,))


class Stopped(msgspec.Struct, frozen=True):
    """What a stop came to."""

    suppressions: tuple[Suppression, ...]
    """The rows that hold now: of two about the same the one that ends later. Whoever runs the stop
    tells them to the recall before it answers.
    """
    is_new: bool
    """Whether it was not so before."""
    list: str = ""
    """Empty where nothing is known any more of whom a token named: nobody mails them."""


def stop(tx: Transaction, wish: Stop) -> tuple[Stopped, Sequence[Fact]]:
    """Stop mail. The same wish again changes nothing; a recipient who was deleted is stopped, too.
    It needs no answer of anybody, and counts for what is being sent.

    Raises:
        Refused: there is no such list, the address is none, or the time lies behind.
    """
    if wish.until <= wish.now:
        raise Refused(Refusal.ABSURD_VALUE, "it would end before it begins")
    found = _by_id(tx, wish) if wish.recipient else _by_address(tx, wish)
    if found is None:
        return Stopped((), is_new=False), ()
    advertiser, list_, hash_ = found
    mail_list = tx.entities.find(EVERYBODY, MailList, list_)
    suppression = Suppression(
        advertiser=advertiser,
        list=list_,
        hash=hash_,
        topic=wish.topic if mail_list is not None and wish.topic in mail_list.topics else "",
        id=wish.seed.draw().id(),
        at=wish.now,
        until=wish.until,
        source=wish.source,
    )
    standing, is_new = _kept(tx, suppression)
    _count(tx, wish)
    if wish.actor:
        detail = {"list": list_, "topic": suppression.topic, "source": wish.source}
        subject = str(wish.recipient or hash_.hex())
        tx.access.audit(
            EVERYBODY, wish.now, wish.actor, advertiser, "mail.stopped", subject, detail
        )
    return Stopped((standing,), is_new, list_), ()


def end_of_day(day: dt.date, now: int) -> int:
    """When a stop until and with a day ends: at that day's midnight on Asia/Tokyo's clocks.

    Raises:
        Refused: the day is over, or nobody will see it.
    """
    try:
        after = dt.datetime.combine(day + dt.timedelta(1), dt.time(tzinfo=TOKYO))
        until = micros(after)
    except OverflowError:
        raise Refused(Refusal.ABSURD_VALUE, "that day does not come") from None
    if not now < until < now + _MOST_YEARS * 366 * 86_400_000_000:
        raise Refused(Refusal.ABSURD_VALUE, "name a day from today on")
    return until


def _by_id(tx: Transaction, wish: Stop) -> tuple[str, str, bytes] | None:
    known = tx.mail.recipients.get(wish.scope, (wish.recipient,)).get(wish.recipient)
    if known is not None:
        return known.advertiser, known.list, known.hash
    # Deleted since: what they consented to still tells whom the token names.
    for said in tx.mail.consents.of(wish.scope, wish.recipient):
        return said.advertiser, said.list, said.hash
    # A confirmation, or the mail to one who is on the list: its token names what was asked for.
    signup = tx.mail.entrance.signups.find(wish.scope, wish.recipient)
    if signup is None:
        return None
    if not wish.topic:
        tx.mail.entrance.signups.drop(wish.scope, signup.advertiser, signup.hash)
    return signup.advertiser, signup.list, signup.hash


def _by_address(tx: Transaction, wish: Stop) -> tuple[str, str, bytes]:
    mail_list = list_of(tx, wish.scope, wish.list)
    return mail_list.advertiser, mail_list.id, hash_of(normalised(wish.address), wish.keys)


def _kept(tx: Transaction, new: Suppression) -> tuple[Suppression, bool]:
    """The row that stands now about what ``new`` is about, and whether it was not so before."""
    suppressions = tx.mail.suppressions
    before = _about(tx, new)
    if new.source in NEVER_ASKED and before is not None and before.source not in NEVER_ASKED:
        # It forbids more than a stop for good does: that it was a complaint must not get lost.
        suppressions.lift(EVERYBODY, before, new.at)
        suppressions.add(EVERYBODY, (new,))
        return new, before.until < new.until
    is_new = bool(suppressions.add(EVERYBODY, (new,)))
    return new if is_new else (before or new), is_new


def _about(tx: Transaction, new: Suppression) -> Suppression | None:
    rows = tx.mail.suppressions.of(EVERYBODY, new.advertiser, (new.hash,)).get(new.hash, ())
    same = (each for each in rows if (each.list, each.topic) == (new.list, new.topic))
    return next(same, None)


def _count(tx: Transaction, wish: Stop) -> None:
    if not (wish.campaign and wish.recipient and wish.source in _BY_THEMSELVES):
        return
    figures = tx.campaigns.figures
    if figures.responded(EVERYBODY, wish.campaign, wish.recipient, STOP, wish.now):
        figures.add(EVERYBODY, wish.campaign, {STOP: 1})
