"""What incoming mail does: only a true tag counts, only people sign up, and a stop is heeded."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from adapters.smtp.receiving import intake as intake_module
from adapters.smtp.receiving.door import Mail
from adapters.smtp.receiving.intake import Intake
from adapters.storage.store import SqlStore
from gateway.domain.mail.campaigns import Result
from gateway.domain.mail.tokens import TRIAL, Named, sealed, stop_address, verp
from gateway.domain.values import EVERYBODY, Counted
from gateway.errors import Refusal, Refused, Transient
from tests.support.browser import Counting
from tests.support.mail_lists import CLUB, DAY, HOUR, KEYS, NEWS, NOON, MailDesk
from tests.support.mail_pages import CAMPAIGN, Held, Noted, away, campaign
from tests.support.stores import PATIENT, Engine, on_a_loop

DOMAIN = "in.example.jp"
WHO = "a@b.example.com"

DSN = """\
From: MAILER-DAEMON@mx.example.com
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: text/plain

It could not be delivered.

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; elsewhere@other.example
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {said}

--x--
"""

ARF = """\
From: feedback@isp.example
Subject: complaint
Content-Type: multipart/report; report-type=feedback-report; boundary=x

--x
Content-Type: text/plain

A complaint.

--x
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: isp/1
Version: 1

--x
Content-Type: message/rfc822

{header}
From: news@acme.example
Subject: sale

hello
--x--
"""


def bounce(action: str = "failed", status: str = "5.1.1", said: str = "") -> bytes:
    """A report, as most mail servers write it."""
    text = DSN.format(action=action, status=status, said=said or "550 5.1.1 user unknown")
    return text.replace("\n", "\r\n").encode()


def complaint(header: str = "To: x@y.example") -> bytes:
    """A complaint about a mail with this header."""
    return ARF.format(header=header).replace("\n", "\r\n").encode()


def note(text: str = "", **header: str) -> bytes:
    """A mail that a person wrote; ``_`` stands for ``-``."""
    fields = {"From": WHO, "Subject": "", "Message-ID": "<1@b.example.com>"}
    fields |= {name.replace("_", "-"): value for name, value in header.items()}
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", text, ""]).encode()


@dataclass
class Room:
    """An intake on a store, with a campaign that was sent to one recipient."""

    desk: MailDesk
    intake: Intake
    observer: Counting
    noted: Noted
    recipient: int

    @property
    def named(self) -> Named:
        return Named(CAMPAIGN, self.recipient)

    @property
    def tag(self) -> str:
        """Where this recipient's bounces go."""
        return verp(self.named, NEWS.bounce_domain, NOON + 14 * DAY, KEYS.verp)

    async def take(
        self, to: str, raw: bytes, sender: str = WHO, at: int = NOON, peer: str = ""
    ) -> None:
        """A mail comes in; ``to`` has blanks between several."""
        for each in to.split():
            await self.intake.expect(each, at)
        await self.intake.take(Mail(sender, tuple(to.split()), raw, at, peer))

    def count(self, table: str) -> int:
        """How many rows there are."""
        ((rows,),) = self.desk.engine.rows(f"SELECT count(*) FROM {table}")
        return int(rows)

    @property
    def reasons(self) -> list[tuple[str, str]]:
        """What was refused or ignored, in order."""
        return [(route, reason) for _, route, reason in self.observer.refusals]


@asynccontextmanager
async def room(engine: Engine) -> AsyncIterator[Room]:
    """All of it."""
    desk, noted, observer = MailDesk(engine), Noted(), Counting()
    recipient = desk.add(WHO).recipient.id
    made = campaign(desk)
    with desk.transaction() as tx:
        tx.campaigns.sends.fix(EVERYBODY, made, [(recipient, "other", NOON)])
    with desk.transaction() as tx:
        tx.campaigns.sends.claim(EVERYBODY, CAMPAIGN, "other", NOON, 10, 1)
        tx.campaigns.sends.settle(EVERYBODY, [Result(CAMPAIGN, recipient, "sent", NOON)])

    with ThreadPoolExecutor(1) as executor:
        async with engine.store(observer, limits=PATIENT) as store:
            intake = Intake(
                store,
                keys=Held(),
                recall=noted,
                domain=DOMAIN,
                domains=lambda: {NEWS.bounce_domain},
                seed=desk.seed,
                observer=observer,
                executor=executor,
            )
            yield Room(desk, intake, observer, noted, recipient)


# --- bounces ---


@on_a_loop
async def test_a_bounce_counts_for_whom_its_tag_names(engine: Engine) -> None:
    """Whatever address it speaks of, as mails are forwarded; and once, however often it comes."""
    async with room(engine) as at:
        for _ in range(2):
            await at.take(at.tag, bounce(), sender="")
        await at.take(at.tag.upper(), bounce(), sender="")
    assert engine.rows("SELECT recipient, class, source, status FROM mail_bounces") == [
        (at.recipient, "user_unknown", "report", "5.1.1")
    ]
    found = at.desk.find(WHO)
    assert found is not None
    assert (found.state, found.strikes) == ("paused", 1)


@on_a_loop
async def test_a_forged_tag_counts_nothing(sqlite: Engine) -> None:
    """Nor does one that is too old, or another kind of token; each is refused by name at RCPT."""
    async with room(sqlite) as at:
        local, _, domain = at.tag.partition("@")
        end = "a" if local[-1] != "a" else "b"
        for to, when, reason in (
            (f"{local[:-1]}{end}@{domain}", NOON, Refusal.TAG_FORGED),
            (at.tag, NOON + 16 * DAY, Refusal.TAG_EXPIRED),
            (f"b+x.y@{domain}", NOON, Refusal.TAG_FORGED),
            (f"b+é@{domain}", NOON, Refusal.TAG_FORGED),
            (f"stop+{local[2:]}@{domain}", NOON, Refusal.TAG_FORGED),
            (f"{local}@elsewhere.example", NOON, Refusal.MAILBOX_UNKNOWN),
            (f"nobody@{DOMAIN}", NOON, Refusal.MAILBOX_UNKNOWN),
            (f"{NEWS.id}@{domain}", NOON, Refusal.MAILBOX_UNKNOWN),
            ("postmaster", NOON, Refusal.MAILBOX_UNKNOWN),
        ):
            with pytest.raises(Refused) as refused:
                await at.take(to, bounce(), sender="", at=when)
            assert refused.value.reason is reason, to
        assert at.count("mail_bounces") == 0


@on_a_loop
async def test_what_is_no_report_counts_nothing(sqlite: Engine) -> None:
    """An answer of a person, a delivery, a delay: taken, and held against nobody."""
    async with room(sqlite) as at:
        await at.take(at.tag, note("thank you", Subject="Re: sale"))
        await at.take(at.tag, bounce("delivered", "2.0.0", "250 ok"), sender="")
        await at.take(at.tag, b"\x00\xff" * 1000, sender="")
        assert at.reasons == [("bounce", "not_a_report")] * 2
        await at.take(at.tag, bounce("delayed", "4.4.1", "connection timed out"), sender="")
    found = at.desk.find(WHO)
    assert found is not None
    assert (found.state, found.strikes) == ("active", 0)


@on_a_loop
async def test_a_complaint_stops_at_once(engine: Engine) -> None:
    """By the tag that it came to; the sender hears it, and a second one changes nothing."""
    async with room(engine) as at:
        for _ in range(2):
            await at.take(at.tag, complaint())
        assert {each.source for each in at.noted.suppressions} == {"complaint"}
    ((stop,)) = at.desk.stops(WHO)
    assert (stop.list, stop.source) == (NEWS.id, "complaint")
    assert engine.rows("SELECT amount FROM mail_figures WHERE name = 'complaint'") == [(1,)]


@pytest.mark.parametrize("way", ["return_path", "list_unsubscribe", "message_id"])
def test_a_returned_mail_proves_whose_it_is(sqlite: Engine, way: str) -> None:
    """Its tag, its stop link or its Message-ID is one of ours; a forged one is counted as that."""

    @on_a_loop
    async def complain() -> None:
        async with room(sqlite) as at:
            token = sealed(at.named, KEYS.verp if way == "message_id" else KEYS.stop)
            header = {
                "return_path": f"Return-Path: <{at.tag}>",
                "message_id": f"Message-ID: <{token}@acme.example>",
                "list_unsubscribe": f"List-Unsubscribe: <https://gw.example.jp/u/{token}>",
            }[way]
            forged = header.replace(at.tag, "b+x.y@z.example").replace(token, "A" * 38)
            await at.take(f"abuse@{DOMAIN}", complaint(forged))
            assert at.reasons == [("role", "tag_forged")]
            assert at.desk.stops(WHO) == []
            await at.take(f"abuse@{DOMAIN}", complaint(header))
            assert len(at.desk.stops(WHO)) == 1

    complain()


@on_a_loop
async def test_no_person_reads_what_comes_to_a_role(sqlite: Engine) -> None:
    """But the address is there (RFC 5321, 4.5.1): it is taken, counted and dropped."""
    async with room(sqlite) as at:
        await at.take(f"Postmaster@{DOMAIN}", note("Hello, is anybody there?"))
        await at.take(f"abuse@{NEWS.bounce_domain}", note(Subject="stop", Auto_Submitted="yes"))
        assert at.reasons == [("role", "not_a_report")] * 2
        await at.take(f"abuse@{DOMAIN}", note("stop\nhttps://gw.example.jp/u/" + "A" * 38))
        assert at.reasons[2:] == [("role", "tag_forged")]
    assert at.desk.stops(WHO) == []


@pytest.mark.parametrize("way", ["link", "answer", "reference"])
def test_who_asks_a_role_to_be_taken_off_is(sqlite: Engine, way: str) -> None:
    """Where the mail that they quote or answer is one of ours."""

    @on_a_loop
    async def write() -> None:
        async with room(sqlite) as at:
            id_ = f"<{sealed(at.named, KEYS.verp)}@acme.example>"
            link = f"> https://gw.example.jp/u/{sealed(at.named, KEYS.stop)}\r\n"
            raw = {
                "link": note(f"配信停止\r\n\r\n{link}"),
                "answer": note("unsubscribe", In_Reply_To=id_),
                "reference": note("unsubscribe", References=f"<x@y.example> {id_}"),
            }[way]
            await at.take(f"abuse@{DOMAIN}", raw, sender="elsewhere@b.example.com")
            assert len(at.noted.suppressions) == 1
        assert [each.source for each in at.desk.stops(WHO)] == ["mail"]

    write()


@on_a_loop
async def test_a_bounce_and_a_stop_count_beside_any_other_recipient(sqlite: Engine) -> None:
    """In whatever order they are named."""
    async with room(sqlite) as at:
        to = stop_address(at.named, NEWS.bounce_domain, KEYS.stop)
        await at.take(f"abuse@{DOMAIN} {NEWS.id}@{DOMAIN} {to} {at.tag}", bounce(), sender="")
        assert at.count("mail_bounces") == 1
    assert [each.source for each in at.desk.stops(WHO)] == ["mail"]


@pytest.mark.parametrize("state", ["new", "known"])
def test_a_complaint_of_a_confirmation_stops(sqlite: Engine, state: str) -> None:
    """And so does one click in it, which has the same token."""

    @on_a_loop
    async def complain() -> None:
        async with room(sqlite) as at:
            who = WHO if state == "known" else "new@b.example.com"
            await at.take(f"{NEWS.id}@{DOMAIN}", note(From=who))
            (signup,) = at.desk.engine.rows("SELECT id FROM mail_signups")
            named = Named(0, signup[0])
            tag = verp(named, NEWS.bounce_domain, NOON + 14 * DAY, KEYS.verp)
            await at.take(tag, complaint())
            assert [each.source for each in at.noted.suppressions] == ["complaint"]
            await at.take(f"{NEWS.id}@{DOMAIN}", note(From=who))
            assert at.count("outbox") == 1
        assert [each.source for each in at.desk.stops(who)] == ["complaint"]

    complain()


# --- stops by mail ---


@on_a_loop
async def test_the_address_of_a_stop_stops(engine: Engine) -> None:
    """Whoever writes to it, in any case of letters; and the campaign counts it."""
    async with room(engine) as at:
        to = stop_address(at.named, NEWS.bounce_domain, KEYS.stop)
        await at.take(to.upper(), note(), sender="somebody@else.example")
        assert len(at.noted.suppressions) == 1
    ((stop,)) = at.desk.stops(WHO)
    assert (stop.list, stop.source) == (NEWS.id, "mail")
    assert engine.rows("SELECT amount FROM mail_figures WHERE name = 'stop'") == [(1,)]


@on_a_loop
async def test_the_addresses_of_a_trial_concern_nobody(sqlite: Engine) -> None:
    """What comes to them is taken, whether it stops or tells of a bounce, and changes nothing."""
    async with room(sqlite) as at:
        await at.take(stop_address(TRIAL, NEWS.bounce_domain, KEYS.stop), note())
        tag = verp(TRIAL, NEWS.bounce_domain, NOON + DAY, KEYS.verp)
        for report in (bounce(), complaint()):
            await at.take(tag, report)
        assert at.noted.suppressions == []
    assert at.count("mail_suppressions") == at.count("mail_bounces") == 0


@on_a_loop
async def test_a_mail_to_the_list_stops_its_sender(engine: Engine) -> None:
    """Of the list it was written to, in whatever way its address is written."""
    async with room(engine) as at:
        await at.take(f"{CLUB.id}@{DOMAIN}", note(Subject="配信停止", From=f"A <{WHO}>"))
        await at.take(f"{NEWS.id}@{DOMAIN}", note(Subject="stop", From=WHO.upper()))
        assert [each.list for each in at.noted.suppressions] == [CLUB.id, NEWS.id]
    assert {each.list for each in at.desk.stops(WHO)} == {CLUB.id, NEWS.id}


@on_a_loop
async def test_stops_of_nobody_are_kept_so_often(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a row for good, and any sender can be forged: who delivers more has to come again.
    Whoever is on a list is heard all the same.
    """
    monkeypatch.setattr(intake_module, "MOST_STRANGE_STOPS", 2)
    monkeypatch.setattr(intake_module, "MOST_STRANGE_STOPS_OF_LIST", 4)
    sent = 0

    async def stop(at: Room, peer: str, who: str = "", when: int = NOON) -> None:
        nonlocal sent
        sent += 1
        raw = note(Subject="stop", From=who or f"victim{sent}@b.example.com")
        await at.take(f"{NEWS.id}@{DOMAIN}", raw, at=when, peer=peer)

    async with room(sqlite) as at:
        for peer in ("8.8.8.8", "8.8.8.9", "9.9.9.9", "10.0.0.1"):
            await stop(at, peer)
        for peer in ("8.8.8.10", "10.0.0.1", "7.7.7.7"):
            with pytest.raises(Refused, match="too_soon"):
                await stop(at, peer)
        assert at.count("mail_suppressions") == 4
        await stop(at, "8.8.8.8", WHO)
        await stop(at, "8.8.8.8", when=NOON + HOUR)
        assert at.count("mail_suppressions") == 6
        monkeypatch.setattr(intake_module, "MOST_STOPS", 1)
        with pytest.raises(Refused, match="too_soon"):
            await stop(at, "8.8.8.8", WHO)
        assert at.reasons == []


# --- sign-ups by mail ---


@on_a_loop
async def test_an_empty_mail_asks_to_confirm(engine: Engine) -> None:
    """By one mail to its sender, with its Message-ID as evidence; a few times a day."""
    async with room(engine) as at:
        for _ in range(5):
            await at.take(f"{NEWS.id}@{DOMAIN}", note(From="New <new@b.example.com>"))
        results = [
            fact.labels[0]
            for fact in at.observer.facts
            if isinstance(fact, Counted) and fact.metric == "mail_signups_total"
        ]
        assert results == [*["asked"] * 3, *["limited_address"] * 2]
    rows = engine.rows("SELECT address, how, evidence FROM mail_signups")
    assert rows == [("new@b.example.com", "empty_mail", "empty mail <1@b.example.com>")] * 3
    assert at.count("outbox") == 3


@on_a_loop
async def test_one_mail_server_is_answered_so_often(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within an hour; a relay of ours passes on what comes from everywhere."""
    monkeypatch.setattr(intake_module, "MOST_OF_PEER", 2)
    async with room(sqlite) as at:
        peers = ("8.8.8.8", "8.8.8.9", "8.8.8.10", "9.9.9.9", *["10.0.0.1"] * 3)
        for n, peer in enumerate(peers):
            raw = note(From=f"new{n}@b.example.com")
            await at.take(f"{NEWS.id}@{DOMAIN}", raw, peer=peer)
        assert at.count("outbox") == 6
        raw = note(From="later@b.example.com")
        await at.take(f"{NEWS.id}@{DOMAIN}", raw, at=NOON + HOUR, peer="8.8.8.8")
        assert at.count("outbox") == 7
        facts = [each for each in at.observer.facts if isinstance(each, Counted)]
        assert [each.labels[0] for each in facts].count("limited_network") == 1


@pytest.mark.parametrize(
    ("sender", "header"),
    [
        ("", {}),
        (WHO, {"Auto_Submitted": "auto-replied"}),
        (WHO, {"Auto_Submitted": "auto-generated; x=y"}),
        (WHO, {"Precedence": "bulk"}),
        (WHO, {"Precedence": "LIST"}),
        (WHO, {"List_Id": "<x.y.example>"}),
        (WHO, {"X_Autoreply": "yes"}),
        (WHO, {"From": "MAILER-DAEMON@b.example.com"}),
        (WHO, {"From": "no-reply@b.example.com"}),
        (WHO, {"From": ""}),
        (WHO, {"From": "a@b.example.com, c@d.example.com"}),
        (WHO, {"From": "a@b.example.com\r\nFrom: c@d.example.com"}),
        (WHO, {"From": "<a@localhost>"}),
        (WHO, {"From": "<a@@b.example.com>"}),
    ],
)
def test_programs_and_the_unclear_do_nothing(
    sqlite: Engine, sender: str, header: dict[str, str]
) -> None:
    """They are taken and counted, and nobody is answered."""

    @on_a_loop
    async def write() -> None:
        async with room(sqlite) as at:
            for subject in ("", "配信停止"):
                raw = note(**{"Subject": subject, **header})
                await at.take(f"{NEWS.id}@{DOMAIN}", raw, sender)
            assert len(at.reasons) == 2
            assert {route for route, _ in at.reasons} == {"list"}
            assert (at.count("mail_signups"), at.count("outbox")) == (0, 0)
            assert at.count("mail_suppressions") == 0

    write()


@on_a_loop
async def test_only_an_open_list_takes_empty_mails(sqlite: Engine) -> None:
    """And a letter is none."""
    async with room(sqlite) as at:
        await at.take(f"{CLUB.id}@{DOMAIN}", note())
        await at.take(f"{NEWS.id}@{DOMAIN}", note("when do you open? " * 100))
        assert at.reasons == [("list", "not_empty")] * 2
    assert at.count("outbox") == 0


@on_a_loop
async def test_without_the_store_a_mail_is_not_ours(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever delivers it keeps it, and comes again."""
    async with room(sqlite) as at:
        monkeypatch.setattr(SqlStore, "run", away)
        for to, raw in (
            (at.tag, bounce()),
            (f"{NEWS.id}@{DOMAIN}", note(Subject="stop")),
            (f"{NEWS.id}@{DOMAIN}", note(From="new@b.example.com")),
            (stop_address(at.named, NEWS.bounce_domain, KEYS.stop), note()),
        ):
            with pytest.raises(Transient):
                await at.take(to, raw)
    assert at.noted.suppressions == []
