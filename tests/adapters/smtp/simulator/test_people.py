"""What recipients do with their letters: reports, complaints, stops and looks."""

import asyncio
import email
import email.policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiohttp import web

from adapters.smtp.simulator import Crowd, Letter, Mailbox, MailWorld, Shares, Sink, Temper
from adapters.smtp.simulator.notices import Report, complaint, report
from tests.support.stores import PATIENCE, on_a_loop

TO = "hana@example.jp"
SENDER = "b+1.abc@bounce.example.jp"


def message(base: str = "https://gw.example.jp", *, one_click: bool = True) -> bytes:
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"] = "花屋 <shop@example.jp>"
    made["To"] = TO
    made["Subject"] = "秋のお知らせ"
    made["Message-ID"] = "<7@example.jp>"
    made["List-Unsubscribe"] = f"<mailto:stop@example.jp>, <{base}/stop/x>"
    if one_click:
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    made.set_content(f"こんにちは {base}/text")
    made.add_alternative(
        f'<p><a href="{base}/l/1">a</a><a href="mailto:x@y.jp">m</a><img src="{base}/o/1"></p>',
        subtype="html",
    )
    return made.as_bytes()


def letter(raw: bytes = b"", sender: str = SENDER) -> Letter:
    return Mailbox().add(sender, TO, raw or message(), 1_796_000_000_000_000)


def parsed(raw: bytes) -> Any:
    return email.message_from_bytes(raw, policy=email.policy.default)


class Web:
    """A gateway's public pages: it keeps what is asked for."""

    def __init__(self, status: int = 200) -> None:
        self.asked: list[tuple[str, str, str, bytes]] = []
        self._status = status

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self.asked.append((request.method, request.path, request.content_type, body))
        return web.Response(status=self._status, headers={"Location": "http://192.0.2.1/"})

    async def __aenter__(self) -> "Web":
        self._runner = web.ServerRunner(web.Server(self.answer))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()


async def acted(crowd: Crowd, *letters: Letter) -> None:
    async with crowd, asyncio.timeout(PATIENCE):
        for each in letters:
            crowd.hear(each)
        await crowd.settled()


# --- who does what ---


def test_a_temper_hangs_on_the_address() -> None:
    """The same seed gives everybody the same temper, in about the shares that were asked for."""
    shares = Shares(bounces=0.1, complains=0.05, stops=0.2, opens=0.5, clicks=0.1)
    addresses = [f"r{n}@example.jp" for n in range(2_000)]

    def tempers(seed: int) -> list[Temper]:
        crowd = Crowd(shares, seed=seed)
        return [crowd.temper(address) for address in addresses]

    some = tempers(1)
    assert some == tempers(1) != tempers(2)
    assert 120 < sum(temper.bounces is not None for temper in some) < 290
    assert 800 < sum(temper.opens for temper in some) < 1_100
    assert not any(temper.opens for temper in some if temper.bounces)
    known = Crowd(shares, tempers={"R1@example.jp": Temper(stops=True)})
    assert known.temper("r1@EXAMPLE.jp") == Temper(stops=True)


# --- the stop link ---


@on_a_loop
async def test_the_stop_link_is_pressed_as_a_mail_program_does() -> None:
    """A POST in one of both encodings, nothing else, and no redirect is followed."""
    async with Web(303) as gateway:
        everybody = Crowd(Shares(stops=1), reachable={"https://gw.example.jp": gateway.base})
        letters = [Mailbox().add(SENDER, f"r{n}@example.jp", message(), 0) for n in range(20)]
        await acted(everybody, *letters)
        assert {(method, path) for method, path, _, _ in gateway.asked} == {("POST", "/stop/x")}
        bodies = {kind: body for _, _, kind, body in gateway.asked}
        assert bodies["application/x-www-form-urlencoded"] == b"List-Unsubscribe=One-Click"
        assert b'name="List-Unsubscribe"' in bodies["multipart/form-data"]
        assert len(gateway.asked) == len(everybody.did("stop")) == 20
        assert {deed.status for deed in everybody.deeds} == {303}


@on_a_loop
async def test_a_letter_without_one_click_has_no_button() -> None:
    """And an address that is not on loopback is never asked for."""
    everybody = Crowd(Shares(stops=1))
    await acted(everybody, letter(message(one_click=False)), letter(b"a: b\r\n\r\n"), letter())
    assert sorted(deed.error for deed in everybody.deeds) == [
        "no_stop_url",
        "not_one_click",
        "out_of_reach",
    ]


@on_a_loop
async def test_letters_are_opened_and_links_clicked() -> None:
    """The picture and one of the links are fetched; a letter without them is told of."""
    async with Web() as gateway:
        everybody = Crowd(Shares(opens=1, clicks=1))
        await acted(everybody, letter(message(gateway.base)))
        assert sorted(asked[:2] for asked in gateway.asked) == [("GET", "/l/1"), ("GET", "/o/1")]
        await acted(everybody, letter(b"a: b\r\n\r\nhello\r\n"))
        assert [deed.error for deed in everybody.deeds][2:] == ["no_url", "no_url"]


# --- reports ---


@on_a_loop
async def test_reports_are_brought_to_the_envelope_sender() -> None:
    """With a null sender, to the address that the letter came from, and recorded."""
    async with Sink() as inbound:
        tempers = {TO: Temper(bounces="dsn"), "taro@example.jp": Temper(complains=True)}
        where = ("127.0.0.1", inbound.port)
        async with MailWorld(tempers=tempers, inbound=where, keep="count") as world:
            for recipient in tempers:
                world.crowd.hear(world.mailbox.add(SENDER, recipient, message(), 0))
            world.crowd.hear(world.mailbox.add("", TO, message(), 0))  # no reports about reports
            async with asyncio.timeout(PATIENCE):
                await world.crowd.settled()
            done = {(deed.what, deed.kind, deed.target, deed.status) for deed in world.crowd.deeds}
        assert done == {("bounce", "dsn", SENDER, 250), ("complain", "arf", SENDER, 250)}
        brought = inbound.mailbox.of(SENDER)
        assert [kept.sender for kept in brought] == ["", ""]
        kinds = {parsed(kept.raw).get_param("report-type") for kept in brought}
        assert kinds == {"delivery-status", "feedback-report"}


@on_a_loop
async def test_a_report_that_is_not_taken_is_recorded() -> None:
    """With its code, or with what went wrong."""
    tempers = {TO: Temper(bounces="dsn")}
    await acted(nowhere := Crowd(tempers=tempers, inbound=("127.0.0.1", 1)), letter())
    assert nowhere.deeds[0].error == "ConnectionRefusedError"
    await acted(unset := Crowd(tempers=tempers), letter())
    assert unset.deeds[0].error == "no_inbound"


@pytest.mark.parametrize(
    ("kind", "action", "status"),
    [
        ("dsn", "failed", "5.1.1"),
        ("full", "failed", "5.2.2"),
        ("delayed", "delayed", "4.4.1"),
        ("delivered", "delivered", "2.0.0"),
    ],
)
def test_a_delivery_report_is_one_to_the_standard_library(
    kind: Report, action: str, status: str
) -> None:
    """Three parts of RFC 6522: a text, the fields of RFC 3464, and the letter's headers."""
    read = parsed(report(kind, letter(), "mx.example.jp"))
    assert read.get_content_type() == "multipart/report"
    text, machine, headers = read.iter_parts()
    assert text.get_content_type() == "text/plain"
    of_message, of_recipient = machine.get_payload()
    assert of_message["Reporting-MTA"] == "dns; mx.example.jp"
    assert (of_recipient["Action"], of_recipient["Status"]) == (action, status)
    assert of_recipient["Final-Recipient"] == f"rfc822; {TO}"
    assert "<7@example.jp>" in headers.get_payload()
    assert (read["To"], read["Auto-Submitted"]) == (SENDER, "auto-replied")


def test_a_complaint_is_one_to_the_standard_library() -> None:
    """RFC 5965: whom it is about, and the letter's headers."""
    read = parsed(complaint(letter(), "mx.example.jp"))
    _, machine, headers = read.iter_parts()
    assert machine.get_content_type() == "message/feedback-report"
    assert f"Original-Rcpt-To: <{TO}>" in machine.as_string()
    assert "Feedback-Type: abuse" in machine.as_string()
    assert "<7@example.jp>" in headers.get_payload()


def test_carriers_reports_are_texts_of_their_own() -> None:
    """docomo's names the reply, KDDI's is in ISO-2022-JP; neither has a part for machines."""
    told = parsed(report("docomo", letter(), "docomo.ne.jp"))
    assert f"550 Unknown user {TO}" in told.get_content()
    told = parsed(report("kddi", letter(), "ezweb.ne.jp"))
    assert told.get_content_charset() == "iso-2022-jp"
    assert "送信できませんでした" in told.get_content()
    assert told.get_content_type() == "text/plain"
