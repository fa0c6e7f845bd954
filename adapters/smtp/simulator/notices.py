"""What comes back: delivery reports and complaints, as their senders write them."""

import email.policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal

from adapters.smtp.simulator.kept import Letter
from adapters.smtp.simulator.moments import moment

Report = Literal["dsn", "full", "docomo", "kddi", "delayed", "delivered"]
"""``dsn``: user unknown, as RFC 3464 has it. ``full``: a full mailbox, so too. ``docomo``: a text
of its own about an unknown user. ``kddi``: the same in ISO-2022-JP, without any machine's part.
``delayed`` and ``delivered``: reports of which none is a failure."""

_DSN: dict[str, tuple[str, str, str]] = {
    "dsn": ("failed", "5.1.1", "550 5.1.1 <{to}>: Recipient address rejected: User unknown"),
    "full": ("failed", "5.2.2", "552 5.2.2 <{to}>: Mailbox full"),
    "delayed": ("delayed", "4.4.1", "connect to {domain}[192.0.2.1]:25: Connection timed out"),
    "delivered": ("delivered", "2.0.0", "250 2.0.0 Ok"),
}


def report(kind: Report, letter: Letter, server: str) -> bytes:
    """A delivery report about ``letter``, to its envelope sender, with CRLF."""
    if kind == "docomo":
        return _docomo(letter, server)
    if kind == "kddi":
        return _kddi(letter, server)
    return _dsn(kind, letter, server)


def complaint(letter: Letter, server: str) -> bytes:
    """An abuse report (RFC 5965) about ``letter``, with its headers (text/rfc822-headers)."""
    fields = {
        "Feedback-Type": "abuse",
        "User-Agent": "SampleFeedback/1.0",
        "Version": "1",
        "Original-Mail-From": f"<{letter.sender}>",
        "Original-Rcpt-To": f"<{letter.recipient}>",
        "Arrival-Date": format_datetime(moment(letter.received_at)),
        "Source-IP": "127.0.0.1",
    }
    text = f"This is an email abuse report for a message received by {server}."
    notice = _outer(letter, server, "complaint", f"fbl@{server}", "Email feedback report")
    return _in_parts(notice, "feedback-report", text, "message/feedback-report", [fields], letter)


def _dsn(kind: str, letter: Letter, server: str) -> bytes:
    action, status, said = _DSN[kind]
    domain = letter.recipient.rpartition("@")[2]
    said = said.format(to=letter.recipient, domain=domain)
    of_message = {
        "Reporting-MTA": f"dns; {server}",
        "Arrival-Date": format_datetime(moment(letter.received_at)),
    }
    of_recipient = {
        "Final-Recipient": f"rfc822; {letter.recipient}",
        "Action": action,
        "Status": status,
        "Remote-MTA": f"dns; mx.{domain}",
        "Diagnostic-Code": f"smtp; {said}",
    }
    text = f"This is the mail system at host {server}.\r\n\r\n<{letter.recipient}>: {said}"
    subject = "Delayed Mail (still being retried)" if action == "delayed" else "Delivery Status"
    notice = _outer(letter, server, kind, f"MAILER-DAEMON@{server}", subject)
    fields = [of_message, of_recipient]
    return _in_parts(notice, "delivery-status", text, "message/delivery-status", fields, letter)


def _in_parts(
    notice: EmailMessage,
    kind: str,
    text: str,
    machine: str,
    blocks: list[dict[str, str]],
    letter: Letter,
) -> bytes:
    """RFC 6522: a text for people, a part for machines, and the headers of what it is about."""
    boundary = f"=_{letter.digest.hex()}"
    shown = "\r\n\r\n".join(
        "\r\n".join(f"{name}: {value}" for name, value in block.items()) for block in blocks
    )
    head = letter.raw.partition(b"\r\n\r\n")[0]
    notice["Content-Type"] = f'multipart/report; report-type={kind}; boundary="{boundary}"'
    written = [
        _head(notice),
        f"--{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n{text}\r\n".encode(),
        f"--{boundary}\r\nContent-Type: {machine}\r\n\r\n{shown}\r\n\r\n".encode(),
        f"--{boundary}\r\nContent-Type: text/rfc822-headers\r\n\r\n".encode(),
        head,
        f"\r\n\r\n--{boundary}--\r\n".encode(),
    ]
    return b"".join(written)


def _docomo(letter: Letter, server: str) -> bytes:
    notice = _outer(letter, server, "docomo", f"postmaster@{server}", "Returned mail: User unknown")
    notice["Content-Type"] = "text/plain; charset=us-ascii"
    lines = [
        "   ----- The following addresses had delivery problems -----",
        f"<{letter.recipient}>  (unrecoverable error)",
        "",
        "   ----- Transcript of session follows -----",
        f"... while talking to {letter.recipient.rpartition('@')[2]}:",
        f"550 Unknown user {letter.recipient}",
        "",
        "   ----- Original message follows -----",
    ]
    return _head(notice) + "\r\n".join([*lines, ""]).encode() + letter.raw[:2_000]


def _kddi(letter: Letter, server: str) -> bytes:
    notice = _outer(letter, server, "kddi", f"Postmaster@{server}", "Mail System Error")
    notice["Content-Type"] = "text/plain; charset=iso-2022-jp"
    notice["Content-Transfer-Encoding"] = "7bit"
    text = (
        "次のあて先へのメッセージはエラーのため送信できませんでした。\r\n\r\n"
        f"<{letter.recipient}>:\r\n"
        f"{letter.recipient.rpartition('@')[2]} に接続しましたが、次の応答がありました。\r\n"
        f"550 <{letter.recipient}>: User unknown\r\n"
    )
    return _head(notice) + text.encode("iso-2022-jp")


def _outer(letter: Letter, server: str, kind: str, sender: str, subject: str) -> EmailMessage:
    notice = EmailMessage(policy=email.policy.SMTP)
    notice["From"] = f"Mail Delivery Subsystem <{sender}>"
    notice["To"] = f"<{letter.sender}>"
    notice["Subject"] = subject
    notice["Date"] = format_datetime(moment(letter.received_at))
    notice["Message-ID"] = f"<{kind}.{letter.digest.hex()}@{server}>"
    notice["Auto-Submitted"] = "auto-replied"
    notice["MIME-Version"] = "1.0"
    return notice


def _head(notice: EmailMessage) -> bytes:
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in notice.items()) + b"\r\n"
