"""What is read from mails that came back, in the manners of many servers."""

import base64
import quopri

import pytest

from adapters.smtp.reading import mails_in, read
from gateway.domain.mail.returns.bounces import HARD, Reading
from tests.adapters.smtp.reading.manners import (
    MANNERS,
    REPLIES,
    RETURNED,
    Manner,
    mail,
    report,
    stage_of,
)

TO = "neko.mike@there.example"


def readings(text: str) -> tuple[Reading, ...]:
    """What a mail of ``text`` says."""
    return read(text.encode()).readings


def brief(text: str) -> list[tuple[str, str, bool]]:
    """The same in short."""
    return [(each.address, each.bounce_class, each.hard) for each in readings(text)]


def dsn(status_part: str, notice: str = "It failed.", returned: str = RETURNED) -> str:
    """A report of RFC 3464."""
    return mail(
        "Delivery Status Notification",
        f"--b\nContent-Type: text/plain\n\n{notice}\n\n--b\n"
        f"Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n{status_part}\n"
        f"\n--b\nContent-Type: message/rfc822\n\n{returned.format(to=TO)}\n--b--\n",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
    )


@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.__name__)
def test_a_reply_is_read_in_every_servers_report(manner: Manner) -> None:
    """Recipient, class and hardness come out right, whoever reports a reply."""
    wrong = []
    for bounce_class, replies in REPLIES.items():
        for reply in (each.format(to=TO) for each in replies):
            got = brief(manner(TO, reply, stage_of(bounce_class)))
            if got != [(TO, bounce_class, bounce_class in HARD)]:
                wrong.append((reply, got))
    assert wrong == []


def test_several_recipients_come_in_the_reports_order() -> None:
    """Each group of a report's fields gives a reading, with or without a blank line between."""
    groups = [
        f"Final-Recipient: rfc822; {name}@there.example\nAction: failed\nStatus: {status}\n"
        for name, status in (("a", "5.2.2"), ("b", "5.1.1"), ("c", "5.7.1"))
    ]
    expected = [
        ("a@there.example", "mailbox_full", False),
        ("b@there.example", "user_unknown", True),
        ("c@there.example", "policy", False),
    ]
    assert brief(dsn("\n".join(groups))) == expected
    assert brief(dsn("".join(groups))) == expected


def test_the_original_recipient_is_whom_we_wrote_to() -> None:
    """An alias that the recipient's server made of it is not ours (RFC 3464, 2.3.1)."""
    fields = (
        "Original-Recipient: rfc822;Neko@There.example\n"
        "Final-Recipient: rfc822; @relay.there.example:box@inner\nAction: failed\nStatus: 5.1.1"
    )
    assert [each.address for each in readings(dsn(fields))] == ["Neko@there.example"]


def test_a_program_for_a_recipient_leads_back_to_the_address() -> None:
    """Exim's reports may name a pipe; the mail tells in a field of its own whom it failed."""
    fields = "Final-Recipient: rfc822;|/usr/bin/filter x\nAction: failed\nStatus: 5.0.0"
    text = dsn(fields).replace("Subject:", f"X-Failed-Recipients: {TO}\nSubject:", 1)
    assert [each.address for each in readings(text)] == [TO]


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_a_report_of_a_delivery_is_no_bounce(action: str) -> None:
    """Only ``failed`` counts."""
    fields = f"Final-Recipient: rfc822; {TO}\nAction: {action}\nStatus: 2.1.5"
    (reading,) = readings(dsn(fields))
    assert (reading.bounce_class, reading.action) == ("not_a_bounce", action)
    assert not reading.strikes


def test_a_delay_has_its_class_and_is_not_hard() -> None:
    """A warning tells why, and strikes nobody."""
    fields = f"Final-Recipient: rfc822; {TO}\nAction: delayed\nStatus: 4.2.2"
    (reading,) = readings(dsn(fields, notice="mailbox full"))
    assert (reading.bounce_class, reading.hard, reading.strikes) == ("mailbox_full", False, False)
    text = mail("Delivery Status Notification (Delay)", f"<{TO}>: 550 5.1.1 user unknown\n")
    (reading,) = readings(text)
    assert (reading.action, reading.hard) == ("delayed", False)


def test_a_status_of_class_4_is_never_hard() -> None:
    """The report's own status decides over a reply it quotes."""
    fields = (
        f"Final-Recipient: rfc822; {TO}\nAction: failed\nStatus: 4.0.0\n"
        "Diagnostic-Code: smtp; DNS type 'mx' lookup responded with code NXDOMAIN"
    )
    assert brief(dsn(fields)) == [(TO, "expired", False)]


def test_a_servers_own_status_goes_before_the_reporting_ones() -> None:
    """Sendmail makes 5.1.1 of any refusal at RCPT; the reply says what it was."""
    fields = (
        f"Final-Recipient: rfc822; {TO}\nAction: failed\nStatus: 5.1.1\n"
        "Diagnostic-Code: SMTP; 550 5.7.1 IP address is on our block list"
    )
    (reading,) = readings(dsn(fields))
    assert (reading.bounce_class, reading.status, reading.reply) == ("blocked", "5.7.1", 550)


def test_what_was_returned_tells_whose_mail_it_was() -> None:
    """Message-ID, envelope sender and stop link of the original are handed on."""
    original = read(report(TO, "550 5.1.1 unknown", "RCPT TO").encode()).original
    assert original.message_id == "1234.5678@shop.example"
    assert original.return_path == "b+1234.abcdefgh@bounce.shop.example"
    assert original.to == TO
    assert original.list_unsubscribe == "<https://gw.example/u/token>"


def test_words_of_the_returned_mail_are_not_read() -> None:
    """Its subject and body speak of full mailboxes and spam, the server of nothing."""
    text = dsn(f"Final-Recipient: rfc822; {TO}\nAction: failed\nStatus: 5.0.0")
    assert brief(text) == [(TO, "other", False)]


# --- carriers and others in Japan


def japanese(charset: str, words: str) -> bytes:
    """au's mail in words alone."""
    head = mail(
        "Mail System Error - Returned Mail",
        "",
        f"Content-Type: text/plain; charset={charset}",
        sender="Postmaster@ezweb.ne.jp",
    )
    return head.encode() + words.encode("iso-2022-jp" if charset != "utf-8" else charset)


@pytest.mark.parametrize("charset", ["iso-2022-jp", "us-ascii", "utf-8", "no-such-set"])
def test_au_writes_japanese_without_a_report(charset: str) -> None:
    """Text in ISO-2022-JP is read by its escapes, whatever the mail says it is."""
    words = (
        "次のあて先へのメッセージはエラーのため送信できませんでした。\n"
        "送信先メールアドレスが見つかりませんでした。\n\n<neko@ezweb.ne.jp>\n\n"
    )
    got = read(japanese(charset, words)).readings
    assert [(each.address, each.bounce_class) for each in got] == [
        ("neko@ezweb.ne.jp", "user_unknown")
    ]


def test_au_prints_the_talk() -> None:
    """The line of the talk decides over the words around it."""
    words = (
        "Each of the following recipients was rejected by a remote mail server.\n\n"
        "    Recipient: <neko@ezweb.ne.jp>\n    >>> RCPT TO:<neko@ezweb.ne.jp>\n"
        "    <<< 550 <neko@ezweb.ne.jp>: User unknown\n"
    )
    assert brief(mail("Mail System Error - Returned Mail", words)) == [
        ("neko@ezweb.ne.jp", "user_unknown", True)
    ]


def test_au_rejects_by_the_domain_filter() -> None:
    """Without a reply, "rejected by a remote mail server" is the recipient's filter."""
    words = (
        "<neko@ezweb.ne.jp>\n\nEach of the following recipients was rejected by a remote mail\n"
        "server.\n"
    )
    assert brief(mail("Mail System Error - Returned Mail", words)) == [
        ("neko@ezweb.ne.jp", "filtered", False)
    ]


# --- complaints, notes of absence, others


def feedback(fields: str, returned: str = RETURNED) -> str:
    """A report of RFC 5965."""
    return mail(
        "Abuse report",
        "--f\nContent-Type: text/plain\n\nThis is an abuse report.\n\n--f\n"
        f"Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n{fields}\n"
        f"--f\nContent-Type: message/rfc822\n\n{returned}\n--f--\n",
        'Content-Type: multipart/report; report-type=feedback-report; boundary="f"',
        sender="feedback@isp.example",
    )


def test_a_complaint_names_each_recipient() -> None:
    """Original-Rcpt-To may stand several times (RFC 5965, 3.2)."""
    fields = "Original-Rcpt-To: a@there.example\nOriginal-Rcpt-To: <b@there.example>\n"
    got = readings(feedback(fields))
    assert [(each.address, each.bounce_class) for each in got] == [
        ("a@there.example", "complaint"),
        ("b@there.example", "complaint"),
    ]
    assert {each.feedback_type for each in got} == {"abuse"}
    assert not any(each.strikes for each in got)


def test_a_complaint_without_a_recipient_is_one_too() -> None:
    """Whoever redacts the address still complains of a mail; its own ``To`` helps where it may."""
    assert brief(feedback("", "Subject: x\n\nredacted")) == [("", "complaint", False)]
    assert brief(feedback("", RETURNED.format(to=TO))) == [(TO, "complaint", False)]


def test_amazons_notifications_are_read() -> None:
    """SES tells of bounces, complaints and deliveries in JSON, wrapped like any mail's text."""
    bounced = (
        '{"notificationType":"Bounce","bounce":{"bouncedRecipients":[{"emailAddress":\n'
        ' "neko@there.example","status":"5.1.1","action":"failed",'
        '"diagnosticCode":"smtp; 550 5.1.1 unknown"}]}}'
    )
    complained = (
        '{"notificationType":"Complaint","complaint":{"complainedRecipients":'
        '[{"emailAddress":"neko@there.example"}],"complaintFeedbackType":"abuse"}}'
    )
    delivered = (
        '{"notificationType":"Delivery","delivery":{"recipients":["neko@there.example"],'
        '"smtpResponse":"250 2.6.0 ok"}}'
    )
    said = [
        brief(mail("AWS Notification Message", text + "\n\n--\nIf you wish to stop", sender="no@x"))
        for text in (bounced, complained, delivered)
    ]
    assert said == [
        [("neko@there.example", "user_unknown", True)],
        [("neko@there.example", "complaint", False)],
        [("neko@there.example", "not_a_bounce", False)],
    ]


@pytest.mark.parametrize(
    ("subject", "field"),
    [
        ("Automatic reply: News", "X-Mailer: x"),
        ("Re: News", "Auto-Submitted: auto-replied"),
        ("Out of office", "X-Mailer: x"),
        ("不在のお知らせ", "X-Mailer: x"),
        ("自動返信", "Precedence: auto_reply"),
        ("Re: News", "X-Autoreply: yes"),
    ],
)
def test_a_note_of_absence_is_no_bounce(subject: str, field: str) -> None:
    """RFC 3834: it is told from a bounce by its fields and its subject, and is its writer's."""
    body = "I am away. Ask boss@there.example; my mailbox is full of user unknown bounces.\n"
    text = mail(subject, body, field, sender=TO).replace("Mail Delivery System", "Neko")
    assert brief(text) == [(TO, "not_a_bounce", False)]


def test_a_note_that_a_mail_was_read_is_no_bounce() -> None:
    """RFC 8098: whoever opened it got it, and whoever deleted it unread too."""
    text = mail(
        "Read: News",
        "--r\n\nWas displayed.\n\n--r\nContent-Type: message/disposition-notification\n\n"
        f"Final-Recipient: rfc822; {TO}\nDisposition: manual-action/MDN-sent-manually; displayed\n"
        "\n--r--\n",
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=r",
        sender=TO,
    )
    assert brief(text) == [(TO, "not_a_bounce", False)]


def test_anybodys_mail_says_nothing() -> None:
    """A letter of a customer is no report, whatever it speaks of."""
    text = "From: a@there.example\nTo: b@x\nSubject: Hello\n\nMy mailbox is full, user unknown.\n"
    assert readings(text) == ()


def test_a_report_without_a_recipient_is_one_open_reading() -> None:
    """Its recipient is the returned mail's."""
    assert brief(dsn("")) == [(TO, "other", False)]


def test_a_report_that_somebody_passed_on_is_read() -> None:
    """Quoted line by line, or enclosed by a gateway."""
    inner = report(TO, "550 5.1.1 user unknown", "RCPT TO")
    quoted = "\n".join(f"> {line}" for line in inner.split("\n"))
    passed = f"From: me@shop.example\nSubject: Fwd: x\n\nLook:\n\n{quoted}"
    enclosed = mail("Returned mail", f"--g\nContent-Type: message/rfc822\n\n{inner}\n--g--\n")
    enclosed = enclosed.replace(
        "Subject:", "Content-Type: multipart/mixed; boundary=g\nSubject:", 1
    )
    assert brief(passed) == brief(enclosed) == [(TO, "user_unknown", True)]


def test_html_alone_is_read() -> None:
    """Some providers send their reports without a text."""
    text = mail(
        "Undeliverable: News",
        f"<html><style>p {{}}</style><body><p>&lt;{TO}&gt;: mailbox full<br></p></body></html>",
        "Content-Type: text/html; charset=utf-8",
    )
    assert brief(text) == [(TO, "mailbox_full", False)]


def test_an_mbox_holds_several_mails() -> None:
    """Each is read by itself; a single mail stays one."""
    one = report(TO, "550 5.1.1 user unknown", "RCPT TO")
    mbox = "".join(f"From MAILER-DAEMON  Mon Nov  2 10:00:00 2026\n{one}\n\n" for _ in range(3))
    assert len(mails_in(mbox.encode())) == 3
    assert [brief(each.decode()) for each in mails_in(mbox.encode())] == [brief(one)] * 3
    assert mails_in(one.encode()) == [one.encode()]


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_encoded_parts_are_decoded(encoding: str) -> None:
    """A status part may be encoded like any other (RFC 2045, 6)."""
    fields = (
        f"Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; {TO}\nAction: failed\nStatus: 5.1.1\n"
    )
    coded = (
        base64.encodebytes(fields.encode())
        if encoding == "base64"
        else quopri.encodestring(fields.encode())
    ).decode()
    text = mail(
        "x",
        f"--b\nContent-Type: message/delivery-status\nContent-Transfer-Encoding: {encoding}\n\n"
        f"{coded}\n--b--\n",
        "Content-Type: multipart/report; boundary=b",
    )
    assert brief(text) == [(TO, "user_unknown", True)]
