"""Sign-ups by form and by empty mail: asked for by anybody, confirmed by whose address it is."""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.domain.effects import Effect
from gateway.domain.mail.addresses import normalised
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.message.display import Language
from gateway.domain.mail.profiles import attributes_of, checked_attributes, merged
from gateway.domain.mail.recipients import Recipient, Suppression
from gateway.domain.mail.signups import (
    CONFIRM_SECONDS,
    HOUR_SECONDS,
    MOST_OF_ADDRESS,
    MOST_OF_LIST,
    MOST_OF_NETWORK,
    WINDOW_SECONDS,
    Asked,
    Way,
    already,
    confirmation,
    is_confirmable,
    network_of,
)
from gateway.domain.mail.tokens import Keys, Named, hash_of, sealed
from gateway.domain.values import EVERYBODY, SECOND, Draw, Seed, moment
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.mail.lists import Signup
from gateway.ports.mail.locks import OfList
from gateway.usecases.mail.lists import consent_of, entry, keep_consent, wholly_stopped
from gateway.usecases.mail.stops import NEVER_ASKED

SINGLE = "mail.single"
"""The kind of effect that carries one mail; its payload is JSON: list, address, subject, text, and
signup: its id, which the envelope's sender names."""

MOST_EVIDENCE = 500
"""Characters of each of the two evidences that are kept."""


class Ask(msgspec.Struct, frozen=True):
    """Somebody types in an address, or writes an empty mail."""

    list: str
    address: str
    network: str
    """By :func:`gateway.domain.mail.signups.network_of`; of empty mails it stands for the list, as
    mail servers pass them on: see :func:`mailbox_of`."""
    how: Way
    evidence: str
    """What shows it: the address of the form, or the mail's Message-ID."""
    now: int
    seed: Seed
    """With two ids."""
    keys: Keys
    attributes: Mapping[str, str] = {}
    language: Language = "ja"


def ask(tx: Transaction, wish: Ask) -> tuple[Asked, Sequence[Fact]]:
    """Ask the address to confirm, by a mail. Whoever is on the list already is told so, in a mail;
    whoever stopped it may come back, as they themselves confirm. Whoever complained, or was deleted
    at their wish, is not written to again, whoever types in their address.

    Raises:
        Refused: the list is not there or not open this way, or the address or an attribute is
            unfit.
    """
    mail_list = _open_list(tx, wish.list, wish.how)
    address = normalised(wish.address)
    attributes = checked_attributes(wish.attributes, mail_list.attributes)
    hash_ = hash_of(address, wish.keys)
    limited = _limited(tx, wish, hash_)
    if limited is not None:
        return limited, ()
    draw = wish.seed.draw()
    stops = tx.mail.suppressions.of(EVERYBODY, mail_list.advertiser, (hash_,)).get(hash_, ())
    is_asked = not any(
        each.source in NEVER_ASKED and each.covers(mail_list.id, "", wish.now) for each in stops
    )
    known = _mailed(tx, mail_list, hash_, stops, wish.now)
    is_new = known is None and is_asked
    signup = Signup(
        id=draw.id(),
        advertiser=mail_list.advertiser,
        list=mail_list.id,
        address=address if is_new else "",
        hash=hash_,
        network=wish.network,
        how=wish.how,
        attributes=merged("", attributes if is_new else {}),
        evidence=wish.evidence[:MOST_EVIDENCE] if is_new else "",
        notice=mail_list.notice_version,
        at=wish.now,
        state="waiting" if is_new else "dropped",
    )
    tx.mail.entrance.signups.add(EVERYBODY, signup)
    if not is_asked:
        return "stopped", ()
    if known is None:
        token = sealed(Named(0, signup.id), wish.keys.signup)
        url = f"{tx.public_url}/s/{mail_list.id}?t={token}"
        written = confirmation(mail_list, url, wish.language)
    else:
        stop_url = f"{tx.public_url}/u/{sealed(Named(0, known.id), wish.keys.stop)}"
        written = already(mail_list, stop_url, wish.language)
    _mail(tx, signup, address, written, draw, wish.now)
    return "asked" if known is None else "already", ()


def confirmable(signup: Signup | None, list_: str, now: int) -> Signup:
    """A sign-up for a list that can be confirmed, or was.

    Raises:
        Refused: there is none, or it was asked for too long ago (CODE_EXPIRED).
    """
    if signup is None or signup.list != list_ or signup.state == "dropped":
        raise Refused(Refusal.NOT_FOUND)
    if signup.state == "waiting" and not is_confirmable(signup.at, now):
        raise Refused(Refusal.CODE_EXPIRED)
    return signup


class Confirm(OfList, frozen=True):
    """Somebody presses the button on that page."""

    list: str
    signup: int
    """What the token of the confirmation names."""
    evidence: str
    """What shows it: the page where it was pressed."""
    now: int
    seed: Seed
    """With two ids."""


class Confirmed(msgspec.Struct, frozen=True):
    """Somebody is on a list by their own word."""

    recipient: int
    """0: they confirmed before, and are gone since."""
    is_new: bool
    """Whether this was the first time the button was pressed."""
    lifted: int = 0
    """How many stops of theirs it ended."""


def confirm(tx: Transaction, wish: Confirm) -> tuple[Confirmed, Sequence[Fact]]:
    """Put somebody on a list, with the evidence of both steps; stops of the whole list end. Stops
    of a topic, and of other lists, stay. A second time nothing happens.

    Raises:
        Refused: as :func:`confirmable` says.
    """
    found = tx.mail.entrance.signups.find(EVERYBODY, wish.signup)
    signup = confirmable(found, wish.list, wish.now)
    mail_list = tx.entities.find(EVERYBODY, MailList, signup.list)
    if mail_list is None:
        raise Refused(Refusal.NOT_FOUND)
    known = tx.mail.recipients.find(EVERYBODY, mail_list.id, (signup.hash,)).get(signup.hash)
    if signup.state == "confirmed":
        return Confirmed(0 if known is None else known.id, is_new=False), ()
    draw = wish.seed.draw()
    given = attributes_of(signup.attributes)
    attributes = {name: given[name] for name in mail_list.attributes if name in given}
    recipient = entry(known, mail_list, signup.address, signup.hash, attributes, draw, wish.now)
    # The mail arrived, or nobody could confirm: what bounced before does not count any more.
    recipient = msgspec.structs.replace(
        recipient, state="active", strikes=0, struck_by=0, struck_at=0
    )
    if recipient != known:
        tx.mail.recipients.save(EVERYBODY, (recipient,), wish.now)
    how: Way = "empty_mail" if signup.how == "empty_mail" else "form"
    evidence = _evidence(signup, wish)
    said = consent_of(recipient, how, wish.now, evidence, signup.notice, draw, wish.now)
    keep_consent(tx, said, is_known=False)
    lifted = _lift(tx, mail_list, signup.hash, wish.now)
    tx.mail.entrance.signups.settle(EVERYBODY, signup.id, "confirmed")
    return Confirmed(recipient.id, is_new=True, lifted=lifted), ()


def stream_of(advertiser: str, hash_: bytes) -> str:
    """The stream of single mails to an address: taken back together where the person is deleted."""
    return f"mail/{advertiser}/{hash_.hex()}"


def mailbox_of(list_: str, keys: Keys) -> str:
    """What empty mails to a list are counted by, whoever seems to have written them."""
    return network_of(f"mails to {list_}", keys)


def _limited(tx: Transaction, wish: Ask, hash_: bytes) -> Asked | None:
    """Whether there were too many of its kind already."""
    count = tx.mail.entrance.signups.count
    of_day, of_hour = (wish.now - each * SECOND for each in (WINDOW_SECONDS, HOUR_SECONDS))
    if count(EVERYBODY, "hash", hash_, of_day) >= MOST_OF_ADDRESS:
        return "limited_address"
    if wish.how == "empty_mail":
        of_list = count(EVERYBODY, "network", wish.network, of_hour)
    elif count(EVERYBODY, "network", wish.network, of_day) >= MOST_OF_NETWORK:
        return "limited_network"
    else:
        of_list = count(EVERYBODY, "form", wish.list, of_hour)
    return "limited_list" if of_list >= MOST_OF_LIST else None


def _open_list(tx: Transaction, list_: str, how: Way) -> MailList:
    mail_list = tx.entities.find(EVERYBODY, MailList, list_)
    is_open = mail_list is not None and (
        mail_list.signup if how == "form" else mail_list.empty_mail
    )
    if mail_list is None or not is_open:
        raise Refused(Refusal.NOT_FOUND)
    return mail_list


def _mailed(
    tx: Transaction, mail_list: MailList, hash_: bytes, stops: Sequence[Suppression], now: int
) -> Recipient | None:
    """Who is on the list and gets its mail."""
    known = tx.mail.recipients.find(EVERYBODY, mail_list.id, (hash_,)).get(hash_)
    if known is None or known.state != "active" or wholly_stopped(stops, mail_list.id, now):
        return None
    return known


def _mail(
    tx: Transaction, signup: Signup, address: str, written: tuple[str, str], draw: Draw, now: int
) -> None:
    subject, text = written
    payload = {
        "list": signup.list,
        "address": address,
        "subject": subject,
        "text": text,
        "signup": signup.id,
    }
    tx.outbox.add(
        EVERYBODY,
        Effect(
            id=draw.id(),
            advertiser=signup.advertiser,
            kind=SINGLE,
            key=f"signup:{signup.id}",
            payload=msgspec.json.encode(payload).decode(),
            due_at=now,
            stream=stream_of(signup.advertiser, signup.hash),
            order_at=now,
            give_up_at=now + CONFIRM_SECONDS * SECOND,
            origin="signup",
        ),
    )


def _evidence(signup: Signup, wish: Confirm) -> str:
    asked = f"{moment(signup.at):%Y-%m-%dT%H:%M:%SZ} {signup.evidence}"
    confirmed = f"{moment(wish.now):%Y-%m-%dT%H:%M:%SZ} {wish.evidence[:MOST_EVIDENCE]}"
    return f"asked {asked} · confirmed {confirmed}"


def _lift(tx: Transaction, mail_list: MailList, hash_: bytes, now: int) -> int:
    """End what keeps somebody from getting this list at all; what was of all lists goes on for the
    others, as they said nothing of those.
    """
    suppressions = tx.mail.suppressions
    stops = suppressions.of(EVERYBODY, mail_list.advertiser, (hash_,)).get(hash_, ())
    lifted = 0
    for each in stops:
        if each.covers(mail_list.id, "", now):
            if not each.list:
                suppressions.add(EVERYBODY, _of_others(tx, mail_list, each))
            lifted += suppressions.lift(EVERYBODY, each, now)
    return lifted


def _of_others(tx: Transaction, mail_list: MailList, stop: Suppression) -> list[Suppression]:
    return [
        msgspec.structs.replace(stop, list=other.id)
        for other in tx.entities.all(EVERYBODY, MailList)
        if other.advertiser == mail_list.advertiser and other.id != mail_list.id
    ]
