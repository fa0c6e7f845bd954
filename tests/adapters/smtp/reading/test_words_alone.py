"""Reports in words alone, each in the manner of another server; all are about one recipient."""

import pytest

from adapters.smtp.reading import read
from tests.adapters.smtp.reading.manners import RETURNED, mail

TO = "neko@there.example"
ORIGINAL = RETURNED.format(to=TO)
NOTICES = {
    "Biglobe": (
        "mailbox_full",
        (
            f"   ----- The following addresses had delivery problems -----\n{TO}\n\n"
            "   ----- Non-delivered information -----\n"
            f"The number of messages in recipient's mailbox exceeded the local limit.\n\n{ORIGINAL}"
        ),
    ),
    "MailMarshal": (
        "user_unknown",
        (
            "Your message:\n   From:    a@shop.example\n\nCould not be delivered because of"
            f"\n\n550 5.1.1 User unknown\n\nThe following recipients were affected:\n    {TO}\n"
        ),
    ),
    "m-FILTER": (
        "user_unknown",
        (
            f"以下のメールアドレスへの送信に失敗しました。\n\n{TO}\n\n-------server message\n"
            f"550 5.1.1 unknown user <{TO}>\n\n-------original message\n{ORIGINAL}"
        ),
    ),
    "Notes": (
        "user_unknown",
        (
            "------- Failure Reasons  --------\n\nUser not listed in public Name & Address Book\n"
            f"{TO}\n\n------- Returned Message --------\n\n{ORIGINAL}"
        ),
    ),
    "Exchange Online": (
        "user_unknown",
        (
            f"Your message to {TO} couldn't be delivered.\n\nOriginal Message Details\n\n"
            f"Reported error: 550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found\n"
        ),
    ),
    "Exchange": (
        "user_unknown",
        (
            "The following recipient(s) could not be reached:\n\n"
            f"      {TO} on 2026/11/02\n            The e-mail account does not exist at the\n"
            "            organization this message was sent to.\n            <mx.example #5.1.1>\n"
        ),
    ),
    "docomo through Postfix": (
        "filtered",
        (
            f"<{TO}>: host mx.example[203.0.113.1] said: 550 Unknown user\n    {TO} (in reply to "
            f"end of DATA command)\n\n{ORIGINAL}"
        ),
    ),
    "au one": (
        "mailbox_full",
        (
            f"Your mail sent on: Mon, 2 Nov 2026\n     Could not be delivered to: <{TO}>\n"
            "     As their mailbox is full.\n"
        ),
    ),
    "GroupWise": (
        "user_unknown",
        f"The message that you sent was undeliverable to the following:\n\t{TO} (user not found)\n",
    ),
    "CommuniGate": (
        "mailbox_full",
        f"Failed to deliver to '<{TO}>'\nLOCAL module(account neko) reports:\n account is full\n",
    ),
    "MDaemon": (
        "user_unknown",
        (
            "The attached message had PERMANENT fatal delivery errors!\n\n"
            f"Failed address: {TO}\n\n--- Session Transcript ---\n"
            f" Mon: --> RCPT To:<{TO}>\n Mon: <-- 550 5.1.1 User unknown\n"
        ),
    ),
    "IMail": ("user_unknown", f"unknown user: {TO}\n\nOriginal message follows.\n\n{ORIGINAL}"),
    "IMail, full": ("mailbox_full", f"User mailbox exceeds allowed size: {TO}\n"),
    "a German provider": (
        "mailbox_full",
        f"Ihre Nachricht an <{TO}> konnte nicht zugestellt werden: Postfach voll\n",
    ),
    "Postfix without a connection": (
        "expired",
        f"<{TO}>: connect to mx[192.0.2.1]:25: Connection timed\n    out\n\n{ORIGINAL}",
    ),
    "Postfix without a domain": (
        "host_unknown",
        (
            f"<{TO}>: Host or domain name not found. Name service error for\n"
            f"    name=there.example type=A: Host not found\n\n{ORIGINAL}"
        ),
    ),
    "Exim without a route": ("host_unknown", f"  {TO}\n    Unrouteable address\n"),
    "a local program": ("system", f'<{TO}>: Command died with status 75: "/usr/bin/filter"\n'),
}


@pytest.mark.parametrize("server", NOTICES)
def test_a_notice_in_words_alone_is_read(server: str) -> None:
    """Recipient and class come out right without a part for machines."""
    bounce_class, body = NOTICES[server]
    got = read(mail("Undeliverable mail", body).encode()).readings
    assert [(each.address, each.bounce_class) for each in got] == [(TO, bounce_class)]
