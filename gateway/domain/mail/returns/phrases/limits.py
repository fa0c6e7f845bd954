"""What is too much: rates, full mailboxes and big mails."""

from gateway.domain.mail.returns.phrases import languages
from gateway.domain.mail.returns.phrases.rule import Rule

LIMITS: tuple[Rule, ...] = (
    # --- rates, before quotas: "sending quota"
    Rule(
        "throttled",
        "google 4.2.1, 5.4.5; postfix anvil(8); exim ratelimit; RFC 3463 x.5.3",
        (
            r"\brate[- ]?limit|limit(?:ed|ing)? the rate|at a rate that|unusual rate|throttl",
            (
                r"too (?:many|much) (?:concurrent |simultaneous |recent |new |smtp |invalid |bad "
                r"|unknown ){0,3}(?:connections?|sessions?|messages?|mails?|e-?mails?|recipients"
                r"|rcpts?|errors|commands|users|addresses|requests|attempts|traffic|transactions"
                r"|(?:mail )?sent)"
            ),
            (
                r"(?:daily|hourly|sending|outbound|message|connection|recipients|hour) (?:\w+ "
                r"){0,2}(?:quota|limit)s? (?:\w+ ){0,2}(?:exceeded|reached)"
            ),
            (
                r"exceed(?:s|ed|ing)? (?:\w+ ){0,4}(?:rate|frequency|(?:connections?|messages?"
                r"|recipients?|emails?|hourly|daily) (?:per|limit))"
            ),
            r"too (?:fast|frequent|quickly)|slow(?:ing)? down",
            r"more than \d{1,6} (?:connections|messages)|(?:connection|concurrency) limit",
            (
                r"(?:max(?:imum)?|limits?|exceed\w*|number of|out of|reached)(?: \S+){0,6}? "
                r"(?:connections?|messages?|recipients?|rcpts?|sessions?|mails?|e-?mails?)(?! "
                r"(?:size|length)| in \S+ (?:\S+ )?mailbox)(?: \S+){0,5}? (?:(?:has |have |is "
                r"|been |was )*(?:exceeded|reached)|per|numbers?|can|could|allowed in)\b"
            ),
            (
                r"(?:excessive|unexpected|unusual|high|large|mass) (?:\w+ ){0,2}(?:volume"
                r"|traffic|rate)(?! or)"
            ),
            (
                r"(?:send(?:ing)?|message|mail|connection|delivery|submission|recipient|smtp"
                r"|reject) rate (?:\w+ ){0,3}(?:exceeded|too high|limit|reached)"
            ),
            (
                r"\b\d{1,7} (?:\w+ )?(?:msgs?|messages|e-?mails|mails|recipients|connections|rcpts)"
                r" (?:\w+ )?(?:per|every|an?|within|in)\b(?! \S+ mailbox)"
            ),
            r"(?:received|sent|sending|send) (?:\w+ ){0,3}too (?:many|much)",
            (
                r"(?:daily|hourly|monthly|per.?(?:hour|day|minute|second)|relay|submission|sending"
                r"|rate|thread|receive|receiving|connection|session) (?:\S+ ){0,4}?(?:limit"
                r"|quota|threshold|allowance)"
            ),
            r"(?:exceed\w*|reached|over|above) (?:\S+ ){0,3}(?:threshold|permitted limit)",
            (
                r"(?:limit|quota) (?:for|of|on) (?:\S+ ){0,4}(?:messages|recipients|e?-?mails"
                r"|connections)"
            ),
            (
                r"max(?:imum)? (?!(?:\w+ ){0,4}(?:size|length|hops?|storage|quota|space"
                r"|attempts|retr|time|age))(?:\w+ ){0,4}(?:exceeded|reached)"
            ),
            (
                r"queue quota|policy rejection\W{1,3}quota|too many same|volume of (?:\w+ "
                r"){0,2}(?:mail|e-?mail|messages)"
            ),
            (
                r"frequency (?:limit|of)|max(?:imum)? (?:\w+ ){0,4}per (?:hour|day|minute)"
                r"|gr[ae]y-?list"
            ),
            (
                r"\bserver (?:is )?(?:too )?busy|^\W*busy\b|\btoo busy|ports are busy"
                r"|connection slots|\bslower\b|throughput|too quickly"
            ),
            r"temporarily deferred(?!.{0,60}complaint)",
        ),
    ),
    # --- full mailboxes
    Rule(
        "mailbox_full",
        "RFC 5321 552 (exceeded storage allocation), RFC 3463 x.2.2, google, common",
        (
            (
                r"over.?quot[ae]\b|overdrawn|(?:disk ?space|storage|mailbox|disk|user) quota"
                r"|quota ?(?:is |has been |was )?(?:full|exceeded|reached|exceeds|violation)"
            ),
            r"exceed(?:s|ed|ing)? (?:\S+ ){0,6}(?:quota|storage|mailbox|disk)",
            r"out of (?:storage|quota)|disk quota|quota violation",
            r"not enough (?:storage|disk) space|insufficient (?:disk )?quota",
            (
                r"mail(?:box|drop| box| ?folder) (?:\S+ ){0,5}(?:is |was |are )?(?:currently |too "
                r"|already )?(?:full|size limit|exceed(?:s|ed)|filled)"
            ),
            r"\b(?:inbox|maildir|account|user) (?:\S+ ){0,2}full|full mail ?box|mailbox size",
            r"too much mail (?:stored|data)",
            (
                r"no (?:more )?(?:space|room) (?:left )?(?:in|for) (?:\w+ ){0,2}(?:mailbox|user"
                r"|recipient)"
            ),
            r"storage (?:allocation|limit)|mailbox space|recipient (?:\S+ ){0,2}storage full",
            r"exhausted (?:\w+ ){0,3}(?:space|quota|storage)",
            (
                r"over (?:the |its |their |his )?(?:maximum |allowed |allotted |disk |storage "
                r"|mail ){0,2}(?:quota|limit|storage|allocation)"
            ),
        ),
    ),
    languages.FULL,
    # --- too big
    Rule(
        "too_big",
        "RFC 1870 6.1, RFC 3463 x.2.3 and x.3.4, sendmail, exim",
        (
            (
                r"(?:message|mail|e-?mail|content|attachment|body|file|data)s?(?:'s)? (?:\S+ "
                r"){0,4}(?:too (?:big|large|long)\b|exceed(?:s|ed|ing)? (?:\S+ ){0,6}(?:size"
                r"|limit|length|maximum))"
            ),
            r"(?:message|mail|maximum|max) ?size (?:\S+ ){0,3}(?:limit|exceed)",
            r"exceed(?:s|ed) (?:\S+ ){0,5}(?:message|mail) (?:size|length)",
            r"size (?:\S+ ){0,3}exceeds",
            r"larger than (?:the )?(?:\w+ ){0,3}(?:limit|maximum|allowed|\d)",
            r"oversized?\b|sizelimit|size limit|too large message|message size\b",
        ),
    ),
    languages.TOO_BIG,
)
