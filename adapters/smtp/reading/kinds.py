"""What kind of mail came back, where no part of it says so to machines."""

import re

from adapters.smtp.reading.mime import Fields, words_of
from adapters.smtp.reading.notices import Notice


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("(?i)" + "|".join(patterns))


_DAEMON = _any(
    r"mailer[-_ ]?daemon|post_?master|mail(?:er)? deliver|delivery (?:subsystem|system|agent)",
    r"mail (?:administrator|system)|system administrator|mdaemon|bounce|(?:admin|daemon)@",
    r"microsoft(?:exchange|outlook)",
)
_FAILED = _any(
    r"undeliver|non[- ]?deliver|not (?:be )?deliver|returned (?:mail|to)|failure",
    r"failed (?:notice|mail)",
    r"delivery (?:status|fail|problem|report|notif|error|delayed|has)|mail system error|bounce",
    r"could not (?:be )?(?:sen[dt]|deliver)|rejected|loop alert|warning: |delayed mail",
    r"unzustellbar|配信|配送|送信でき|エラー|не доставлено|non remis",
)
_AWAY = re.compile(
    r"(?i)^\s*(?:re: ?)?(?:"
    + "|".join(
        (
            r"auto(?:mati(?:c|sche|que)|mated)?[-_ ]?(?:reply|respon\w{2,5}|antwort|r[eé]ponse)",
            r"auto:|out[- ]of[- ](?:the[- ])?office|away (?:from|until)|vacation|abwesen",
            r"on (?:holiday|vacation|leave)|(?:i am|i'm) (?:out|away|on)|r[eé]ponse automatique",
            r"respuesta autom|risposta automatica|自動(?:返信|応答|回答)|不在",
        )
    )
    + ")"
)
_AWAY_FIELDS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply", "x-vacation")
_WARNING = _any(
    r"warning message only|\(delay\)|this is a warning|has been delayed|is delayed for",
    r"temporary failure report|still being retried|delivery.{0,20} delayed|not yet been delivered",
    r"will (?:be retried|keep trying|continue to (?:try|be))",
)


def is_from_daemon(fields: Fields) -> bool:
    """Whether a mail server writes."""
    failed = fields.get("x-failed-recipients")  # Exim's, and Gmail's
    return bool(failed or _DAEMON.search(words_of(fields.get("from"))))


def is_report(fields: Fields) -> bool:
    """Whether it looks like a report on a delivery: by its writer, its subject, or the empty
    sender that a report has to have (RFC 5321, 4.5.5).
    """
    return (
        is_from_daemon(fields)
        or bool(_FAILED.search(words_of(fields.get("subject"))))
        or fields.get("return-path") == "<>"
    )


def is_automatic(fields: Fields) -> bool:
    """Whether a mail answers by itself (RFC 3834, 5): a note of absence, a confirmation.

    Servers mark their reports in the same way, so on those the words of the subject decide.
    """
    subject = words_of(fields.get("subject"))
    if _AWAY.search(subject):
        return True
    if is_from_daemon(fields) or _FAILED.search(subject):
        return False
    return (
        fields.get("auto-submitted").lower().startswith(("auto-replied", "auto-gen", "auto-not"))
        or "auto_reply" in fields.get("precedence").lower()
        or any(fields.get(name) for name in _AWAY_FIELDS)
    )


def is_warning(fields: Fields, notice: Notice) -> bool:
    """Whether a report says that the mail is still being tried."""
    return bool(_WARNING.search(f"{words_of(fields.get('subject'))}\n{notice.words[:4_000]}"))
