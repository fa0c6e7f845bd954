"""What a report tells of the talk between two servers: which command was refused, and how.

Each server has its own phrase for it; a few print the talk itself, ``>>>`` what they said and
``<<<`` what they heard (Sendmail, Courier, au).
"""

import re

from gateway.domain.mail.returns.replies import tells

CAP = 8_000
"""Characters of a text that are looked at."""

# What reports say of every mail, whatever befell it: without it their words are few and plain.
_BOILERPLATE = re.compile(
    "(?i)"
    + "|".join(
        (
            r"this is a permanent error; i've given up\. sorry it didn't work out",  # qmail
            r"for further assistance[^.]{0,80}\.",  # Postfix, this and the next two
            r"if you do so, please include this problem report\.",
            r"you can\s{1,4}delete your own text from the attached returned message",
            r"this message was created automatically by mail delivery software",  # Exim
            r"you do not need to resend your message|please do not reply to this",
            r"delivery status notification|no action is required|your message has been queued",
            r"only a temporary failure report",  # OpenSMTPD
            r"technical details of \w+ failure",  # Gmail
        )
    )
)

# A group of a pattern is the command as the server writes it; see _COMMANDS.
_PHRASES: tuple[tuple[str, str], ...] = (
    (r"(?i)in reply to (end of data|[a-z]+)(?: from| to)? ?command", ""),  # Postfix
    (r"refused to talk to me", "greeting"),
    (r"(?i)after (?:pipelined |sending |initial )?(end of data|connection|[a-z]{4}\b)", ""),  # Exim
    (r"(?i)did not like our (final data|[a-z]{4})", ""),  # dma
    (r"\[(MAIL|RCPT|DATA|EHLO|HELO)(?:_\w+)?\]", ""),  # Yahoo
    (r"(?i)for (text|[a-z]{4}) command", ""),  # 1&1
    (r"(?i)does not like recipient", "rcpt"),  # qmail-remote, this and the next four
    (r"(?i)sender was rejected|does not like sender", "mail"),
    (r"(?i)(?:failed|rejected) after i sent the message", "end"),
    (r"(?i)my name was rejected", "ehlo"),
    (r"(?i)greeting failed", "greeting"),
    (r"(?i)server rejected mail from address", "mail"),  # Oracle Messaging Server
    (r"5\.1\.0 - Unknown address error", "rcpt"),  # IronPort, this and the next
    (r"5\.3\.0 - Other mail system problem", "end"),
    (r"\(state 1[78]\)", "end"),  # Gmail
)
_COMPILED = tuple((re.compile(pattern), stage) for pattern, stage in _PHRASES)
_COMMANDS = {
    "mail": "mail",
    "rcpt": "rcpt",
    "data": "data",
    "end of data": "end",
    "final data": "end",
    "text": "end",
    "ehlo": "ehlo",
    "helo": "ehlo",
    "connection": "connect",
    "auth": "auth",
    "star": "tls",
}
_TALK = re.compile(r"(?m)^\W{0,4}>>> ?(\w{4})[^\n]{0,300}\n(?:\W{0,4}<<< ?[^\n]{0,500}\n?)")
_REFUSED = re.compile(r"<<< ?[45]\d\d")
_INLINE = re.compile(r"^\W{0,8}(?:\d{3} )?<[^>\s]{1,200}>\.\.\. ([^\n]{1,300})")  # Sendmail's
_QUOTE = re.compile(r"(?<![\w.\[:@-])[45]\d\d[-\s:](?!\d\d)")


def stage_in(text: str) -> str:
    """The command that was refused: a stage of
    :func:`gateway.domain.mail.returns.replies.classify`, or empty.
    """
    text = text[:CAP]
    for talk in _TALK.finditer(text):
        if _REFUSED.search(talk[0]) and talk[1].lower() in _COMMANDS:
            return _COMMANDS[talk[1].lower()]
    for pattern, stage in _COMPILED:
        found = pattern.search(text)
        if found and (named := stage or _COMMANDS.get(found[1].lower(), "")):
            return named
    return ""


def replies_in(text: str) -> str:
    """The refusals of a talk, where ``text`` prints one; else ``text``.

    The reporting server adds lines of its own to a talk, with codes that nobody else said.
    """
    if "<<<" not in text:
        return text
    heard = [line.partition("<<<")[2] for line in text.split("\n") if _REFUSED.search(line)]
    return "\n".join(heard) or text


def telling(texts: list[str]) -> str:
    """The first words of ``texts`` that say why, or empty.

    Of a text that quotes a reply, the reply goes first, then the first paragraph: what stands
    around them is the reporting server's, on whom it talked to and what to do.
    """
    for text in texts:
        inline = _INLINE.search(text[:CAP])
        quote = _QUOTE.search(text[:CAP])
        quoted = text[quote.start() :].partition("\n\n")[0] if quote else ""
        paragraph = text.lstrip().partition("\n\n")[0]
        for words in (inline[1] if inline else "", quoted, paragraph, text):
            if words and tells(words):
                return words
    return ""


def without_boilerplate(text: str) -> str:
    """``text`` without what its server says in every report, cut to what is looked at."""
    return _BOILERPLATE.sub(" ", text[:CAP])
