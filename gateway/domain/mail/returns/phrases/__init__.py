"""The words in which mail servers refuse: an ordered table from phrases to classes.

The first rule that matches decides, so what is particular stands before what is general: a server
that says "Recipient address rejected: mailbox full" speaks of a full mailbox, and one that says
"rejected: user unknown" of an unknown user. Links and addresses are taken out before, since their
words are not the server's.

Sources by their short names: RFC numbers; ``postfix`` (smtpd(8) and its daemons' reply texts),
``exim`` (the specification's chapters on ACLs and retries), ``sendmail`` (its exit codes' texts),
``qmail`` (qmail-remote, qmail-local, qmail-send), ``courier``, ``notes`` (Domino), ``microsoft``
(the codes of Exchange's reports and of Outlook.com's postmaster site), ``google`` (Gmail's SMTP
error reference), ``yahoo`` (its postmaster's error codes), ``apple``, ``au`` and ``docomo`` (the
carriers' replies), ``gateways`` (Proofpoint, Mimecast, Barracuda, IronPort, Trend Micro, Symantec),
``netease``, ``yandex``, ``daum``, ``naver``, ``web.de`` and ``gmx`` (their help pages and replies),
``common`` (the same words in many servers). What other languages say stands in ``languages``, and
single words, for where no phrase is found, in ``loose``.
"""

from gateway.domain.mail.returns.phrases.limits import LIMITS
from gateway.domain.mail.returns.phrases.loose import LOOSE
from gateway.domain.mail.returns.phrases.mails import MAILS
from gateway.domain.mail.returns.phrases.platforms import PLATFORMS
from gateway.domain.mail.returns.phrases.recipients import RECIPIENTS
from gateway.domain.mail.returns.phrases.rule import Rule
from gateway.domain.mail.returns.phrases.senders import SENDERS
from gateway.domain.mail.returns.phrases.servers import SERVERS

RULES: tuple[Rule, ...] = (*PLATFORMS, *LIMITS, *SENDERS, *MAILS, *RECIPIENTS, *SERVERS)
"""In the order in which they are asked."""

__all__ = ["LOOSE", "RULES", "Rule"]
