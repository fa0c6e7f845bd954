"""Mails that came back, written by us in the manners of several servers; and servers' replies."""

from collections.abc import Callable

Manner = Callable[[str, str, str], str]
"""From the recipient, the server's reply and the command it answered to a mail."""

SENDER = "b+1234.abcdefgh@bounce.shop.example"
RETURNED = """Return-Path: <b+1234.abcdefgh@bounce.shop.example>
Received: from gw.shop.example (gw.shop.example [192.0.2.10])
\tby mail.shop.example (8.14) with ESMTP id 2DAYS; Mon, 2 Nov 2026 10:00:00 +0900
From: "Shop" <news@shop.example>
To: <{to}>
Subject: The mailbox is full of user unknown news
Message-ID: <1234.5678@shop.example>
List-Unsubscribe: <https://gw.example/u/token>

Spam, spam, unknown user, quota exceeded.
"""

# A class, and replies of servers as their documents or their logs have them.
REPLIES: dict[str, tuple[str, ...]] = {
    "user_unknown": (
        "550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table",
        "550 5.1.1 <{to}>... User unknown",
        "550-5.1.1 The email account that you tried to reach does not exist. Please try",
        "550 5.4.1 Recipient address rejected: Access denied. [AB1.prod.outlook.example]",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        "554 delivery error: dd This user doesn't have a yahoo.example account ({to}) [0]",
        "550 5.1.1 unknown or illegal alias: {to}",
        "550 No such user here",
        "550 Invalid recipient: <{to}>",
        "553 sorry, no mailbox here by that name (#5.7.1)",
        "550 <{to}>: Recipient address rejected: undeliverable address: no such person",
        "550 #5.1.0 Address rejected.",
        "550 Requested action not taken: mailbox unavailable",
        "550 5.1.1 <{to}> is not listed in Domino Directory",
        "550 account not found",
        "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. [416]",
        "550 5.1.1 Empfaenger unbekannt",
    ),
    "host_unknown": (
        "550 5.1.2 <{to}>... Host unknown (Name server: host not found)",
        "556 5.1.10 Recipient address has null MX",
        "550 5.4.310 DNS domain does not exist",
    ),
    "moved": (
        "551 5.1.6 User has moved; please try the new address",
        "550 5.1.6 recipient no longer on server: {to}",
    ),
    "mailbox_full": (
        "552 5.2.2 <{to}> Quota exceeded (mailbox for user is full)",
        "552-5.2.2 The email account that you tried to reach is over quota.",
        "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException",
        "552 Requested mail action aborted: exceeded storage allocation",
        "550 <{to}>: mailbox size limit exceeded",
        "552 5.1.1 Boite du destinataire pleine. Recipient overquota. [417]",
    ),
    "too_big": (
        "552 5.3.4 Message size exceeds fixed limit",
        "552 5.2.3 Message length exceeds administrative limit",
        "552 5.3.4 Error: message file too big",
    ),
    "filtered": (
        "550 : User unknown",
        "550 Rejected by recipient",
        "550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized",
    ),
    "suspended": (
        "550 5.2.1 The email account that you tried to reach is disabled.",
        "525 5.7.13 User account disabled",
        "550 <{to}>: mailbox is inactive",
        "550 5.2.1 Account is suspended",
    ),
    "spam": (
        "550 This message was classified as SPAM and may not be delivered",
        "550 5.7.1 Virus found: Eicar-Test-Signature",
        "554 Message rejected because of unacceptable content",
        "552 5.7.0 attachment of this type is not allowed",
    ),
    "policy": (
        "550 5.7.26 Unauthenticated email is not accepted due to the domain's DMARC policy.",
        "550-5.7.25 The IP address sending this message does not have a PTR record",
        "554 5.7.1 <{to}>: Relay access denied",
        "554 5.7.9 Message not accepted for policy reasons.",
        "530 5.7.0 Must issue a STARTTLS command first",
        "421 4.7.0 [TSS04] Messages deferred due to unexpected volume or user complaints",
    ),
    "blocked": (
        "554 5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org",
        "550 5.7.1 messages weren't sent: part of their network is on our block list (S3150).",
        "553 5.1.8 Sender address rejected: Domain not found",
        "550 5.7.606 Access denied, banned sending IP",
    ),
    "throttled": (
        "450-4.2.1 The user you are trying to contact is receiving email at a rate that prevents",
        "452 4.3.2 Connection rate limit exceeded.",
        "421 too many connections from your network",
        "450 4.2.0 <{to}>: Recipient address rejected: Greylisted",
    ),
    "system": (
        "451 4.3.0 Error: queue file write error",
        "452 4.3.1 Insufficient system storage",
        "451 4.3.0 Temporary internal error",
    ),
}
CONTENT = ("too_big", "spam")


def stage_of(bounce_class: str) -> str:
    """The command at which such a refusal comes."""
    return "end of DATA" if bounce_class in CONTENT else "RCPT TO"


def mail(subject: str, body: str, *fields: str, sender: str = "MAILER-DAEMON@mx.example") -> str:
    """A mail to our tagged address."""
    head = [
        "Return-Path: <>",
        f"From: Mail Delivery System <{sender}>",
        f"To: <{SENDER}>",
        f"Subject: {subject}",
        *fields,
    ]
    return "\n".join(head) + "\n\n" + body


def postfix(to: str, reply: str, command: str) -> str:
    """Postfix, with its report for machines cut off on the way."""
    return mail(
        "Undelivered Mail Returned to Sender",
        "This is the mail system at host mx.example.\n\n"
        "I'm sorry to have to inform you that your message could not\n"
        "be delivered to one or more recipients. It's attached below.\n\n"
        "For further assistance, please send mail to postmaster.\n\n"
        f"<{to}>: host mx.there.example[192.0.2.1]\n    said: {reply} (in reply to\n"
        f"    {command} command)\n\n" + RETURNED.format(to=to),
    )


def report(to: str, reply: str, command: str) -> str:
    """RFC 3464 as Postfix writes it."""
    status = reply[4:9] if reply[5:6] == "." else f"{reply[0]}.0.0"
    return mail(
        "Undelivered Mail Returned to Sender",
        "This is a MIME-encapsulated message.\n\n--x/mx.example\n"
        "Content-Description: Notification\nContent-Type: text/plain; charset=us-ascii\n\n"
        f"<{to}>: host mx.there.example[192.0.2.1] said:\n    {reply} (in reply to {command}\n"
        "    command)\n\n--x/mx.example\nContent-Description: Delivery report\n"
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
        f"Final-Recipient: rfc822; {to}\nOriginal-Recipient: rfc822;{to}\nAction: failed\n"
        f"Status: {status}\nRemote-MTA: dns; mx.there.example\n"
        f"Diagnostic-Code: smtp; {reply}\n\n--x/mx.example\nContent-Type: message/rfc822\n\n"
        + RETURNED.format(to=to)
        + "\n--x/mx.example--\n",
        'Content-Type: multipart/report; report-type=delivery-status;\n\tboundary="x/mx.example"',
    )


def exim(to: str, reply: str, command: str) -> str:
    """Exim."""
    where = f"{command}:<{to}>" if command == "RCPT TO" else "end of data"
    return mail(
        "Mail delivery failed: returning message to sender",
        "This message was created automatically by mail delivery software.\n\n"
        "A message that you sent could not be delivered to one or more of its\n"
        "recipients. This is a permanent error. The following address(es) failed:\n\n"
        f"  {to}\n    host mx.there.example [192.0.2.1]\n"
        f"    SMTP error from remote mail server after {where}:\n    {reply}\n\n"
        "------ This is a copy of the message, including all the headers. ------\n\n"
        + RETURNED.format(to=to),
        f"X-Failed-Recipients: {to}",
        "Auto-Submitted: auto-replied",
    )


def qmail(to: str, reply: str, command: str) -> str:
    """qmail-send with qmail-remote."""
    said = (
        "does not like recipient." if command == "RCPT TO" else "failed after I sent the message."
    )
    return mail(
        "failure notice",
        "Hi. This is the qmail-send program at mx.example.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        f"<{to}>:\n192.0.2.1 {said}\nRemote host said: {reply}\nGiving up on 192.0.2.1.\n\n"
        "--- Below this line is a copy of the message.\n\n" + RETURNED.format(to=to),
    )


def sendmail(to: str, reply: str, command: str) -> str:
    """Sendmail's words without its report."""
    said = f"RCPT To:<{to}>" if command == "RCPT TO" else "DATA"
    return mail(
        "Returned mail: see transcript for details",
        "The original message was received at Mon, 2 Nov 2026 10:00:00 +0900\n"
        "from gw.shop.example [192.0.2.10]\n\n"
        "   ----- The following addresses had permanent fatal errors -----\n"
        f"<{to}>\n    (reason: {reply})\n\n   ----- Transcript of session follows -----\n"
        f"... while talking to mx.there.example.:\n>>> {said}\n<<< {reply}\n"
        "554 5.0.0 Service unavailable\n\n   ----- Original message follows -----\n\n"
        + RETURNED.format(to=to),
    )


def opensmtpd(to: str, reply: str, command: str) -> str:
    """OpenSMTPD, which does not tell the command."""
    return mail(
        "Delivery status notification: error",
        "    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\n"
        "    An error has occurred while attempting to deliver a message for\n"
        f"    the following list of recipients:\n\n{to}: {reply}\n\n"
        "    Below is a copy of the original message:\n\n" + RETURNED.format(to=to),
    )


def dragonfly(to: str, reply: str, command: str) -> str:
    """DragonFly's mail agent."""
    ours = "RCPT TO" if command == "RCPT TO" else "final DATA"
    return mail(
        "Mail delivery failed",
        "This is the DragonFly Mail Agent v0.13 at mx.example.\n\n"
        f"There was an error delivering your mail to <{to}>.\n\n"
        f"mx.there.example [192.0.2.1] did not like our {ours}:\n{reply}\n\n"
        "Message headers follow.\n\n" + RETURNED.format(to=to),
    )


def gmail(to: str, reply: str, command: str) -> str:
    """Gmail, as it wrote until 2016."""
    state = "14" if command == "RCPT TO" else "18"
    return mail(
        "Delivery Status Notification (Failure)",
        f"Delivery to the following recipient failed permanently:\n\n     {to}\n\n"
        "Technical details of permanent failure:\nGoogle tried to deliver your message, but it was "
        "rejected by the recipient domain. We recommend contacting the other email provider for "
        "further information about the cause of this error. The error that the other server "
        f"returned was: {reply} (state {state}).\n\n----- Original message -----\n\n"
        + RETURNED.format(to=to),
        f"X-Failed-Recipients: {to}",
        sender="mailer-daemon@googlemail.com",
    )


def yahoo(to: str, reply: str, command: str) -> str:
    """Yahoo."""
    where = "RCPT_TO" if command == "RCPT TO" else "DATA"
    return mail(
        "Failure Notice",
        "Sorry, we were unable to deliver your message to the following address.\n\n"
        f"<{to}>:\nRemote host said:\n{reply}\n[{where}]\n\n"
        "--- Below this line is a copy of the message.\n\n" + RETURNED.format(to=to),
    )


def courier(to: str, reply: str, command: str) -> str:
    """Courier, without its report."""
    said = f"RCPT TO:<{to}>" if command == "RCPT TO" else "DATA"
    return mail(
        "NOTICE: mail delivery status.",
        "This is a delivery status notification from mx.example,\n"
        "running the Courier mail server, version 0.65.2.\n\n"
        f"The original message was received on Mon, 2 Nov 2026 10:00:00 +0900\n"
        f"from gw.shop.example (gw.shop.example [::ffff:192.0.2.10])\n\n"
        "---------------------------------------------------------------------------\n\n"
        "                           UNDELIVERABLE MAIL\n\n"
        "Your message to the following recipients cannot be delivered:\n\n"
        f"<{to}>:\n    mx.there.example [192.0.2.1]:\n>>> {said}\n<<< {reply}\n\n"
        "---------------------------------------------------------------------------\n\n"
        "If your message was also sent to additional recipients, their delivery\n"
        "status is not included in this report.\n\n" + RETURNED.format(to=to),
    )


MANNERS: tuple[Manner, ...] = (
    postfix,
    report,
    exim,
    qmail,
    sendmail,
    opensmtpd,
    dragonfly,
    gmail,
    yahoo,
    courier,
)
