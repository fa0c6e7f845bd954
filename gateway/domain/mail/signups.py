"""Sign-ups: how many are allowed, how long they wait, and what the mail says that asks to confirm.

A stranger can type in anybody's address. So nothing follows of it but one mail to that address,
which a person has to answer; and of those only a few a day.
"""

import ipaddress
from hashlib import sha256
from hmac import digest
from typing import Literal

from gateway.domain.mail.lists import MailList
from gateway.domain.mail.message.display import Language
from gateway.domain.mail.tokens import Keys
from gateway.domain.values import SECOND

Way = Literal["form", "empty_mail"]
"""How somebody signs up."""

Asked = Literal["asked", "already", "stopped", "limited_address", "limited_network", "limited_list"]
"""What became of it when somebody asked, for counters alone: they are told the same each time, or
they could find out who is on a list. ``stopped``: who complained or was deleted is not written to.
Also a metric label."""

CONFIRM_SECONDS = 48 * 3600
"""How long a confirmation is waited for."""

WINDOW_SECONDS = 24 * 3600
MOST_OF_ADDRESS = 3
MOST_OF_NETWORK = 20
"""Sign-ups of one address, and from one network, within the window."""

HOUR_SECONDS = 3600
MOST_OF_LIST = 1_000
"""Sign-ups for one list by its form, and as many by empty mails, within an hour that are answered.
Addresses are typed in and senders forged with ease, and each answer goes to somebody: so a list is
no means to flood people whom it does not know."""

MOST_OF_PEER = 300
"""Empty mails from the network of one mail server that is not ours. A carrier's customers all come
from its few servers."""

KEPT_SECONDS = 30 * 24 * 3600
"""How long a sign-up is kept after it was asked for; what it led to is with the consent."""


def network_of(peer: str, keys: Keys) -> str:
    """A keyed hash of the network that a peer's address is in: /24 of IPv4, /64 of IPv6, as one
    customer has them. Of what is no address: of the text itself.
    """
    try:
        address = ipaddress.ip_address(peer)
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        prefix = 24 if address.version == 4 else 64
        peer = str(ipaddress.ip_network((address, prefix), strict=False))
    except ValueError:
        pass
    return digest(keys.network, peer.encode(errors="replace"), sha256)[:16].hex()


def is_public(peer: str) -> bool:
    """Whether a peer's address is one of the Internet: a relay of our own has another."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_global


def is_confirmable(asked_at: int, now: int) -> bool:
    """Whether a sign-up can still be confirmed."""
    return now < asked_at + CONFIRM_SECONDS * SECOND


def confirmation(mail_list: MailList, url: str, language: Language) -> tuple[str, str]:
    """Subject and text of the mail that asks somebody to confirm."""
    return _SUBJECT[language].format(sender=mail_list.sender_name), _text(
        _ASKING[language], mail_list, url, language
    )


def already(mail_list: MailList, stop_url: str, language: Language) -> tuple[str, str]:
    """Subject and text of the mail to one who is on the list already."""
    return _SUBJECT_ALREADY[language].format(sender=mail_list.sender_name), _text(
        _ALREADY[language], mail_list, stop_url, language
    )


def _text(template: str, mail_list: MailList, url: str, language: Language) -> str:
    notice = f"{mail_list.notice.strip()}\n\n" if mail_list.notice.strip() else ""
    return template.format(sender=mail_list.sender_name, notice=notice, url=url) + _FOOTER[
        language
    ].format(
        sender=mail_list.sender_name,
        address=mail_list.sender_address,
        contact=mail_list.contact,
    )


_SUBJECT: dict[Language, str] = {
    "ja": "【{sender}】メール配信登録のご確認",
    "en": "{sender}: please confirm your subscription",
}
_SUBJECT_ALREADY: dict[Language, str] = {
    "ja": "【{sender}】メール配信は登録済みです",
    "en": "{sender}: you are subscribed already",
}
_ASKING: dict[Language, str] = {
    "ja": (
        "{sender}のメール配信にお申し込みいただきありがとうございます。\n"
        "まだ登録は完了していません。48時間以内に次のページを開き、登録を確定してください。\n\n"
        "{url}\n\n"
        "{notice}"
        "お心当たりがない場合は、このメールを破棄してください。\n"
        "確定されない限り、メールは配信されません。\n"
    ),
    "en": (
        "Thank you for signing up for mail from {sender}.\n"
        "You are not subscribed yet. Please open this page within 48 hours and confirm:\n\n"
        "{url}\n\n"
        "{notice}"
        "If you did not ask for this, please ignore it.\n"
        "Nothing will be sent to you unless you confirm.\n"
    ),
}
_ALREADY: dict[Language, str] = {
    "ja": (
        "{sender}のメール配信にお申し込みいただきありがとうございます。\n"
        "このアドレスはすでに登録されています。お手続きは必要ありません。\n\n"
        "{notice}"
        "配信の停止はこちらからいつでも行えます。\n"
        "{url}\n"
    ),
    "en": (
        "Thank you for signing up for mail from {sender}.\n"
        "This address is subscribed already. There is nothing for you to do.\n\n"
        "{notice}"
        "You can unsubscribe here at any time:\n"
        "{url}\n"
    ),
}
_FOOTER: dict[Language, str] = {
    "ja": "\n--\n送信者: {sender}\n住所: {address}\nお問い合わせ: {contact}\n",
    "en": "\n--\nSender: {sender}\nAddress: {address}\nContact: {contact}\n",
}
