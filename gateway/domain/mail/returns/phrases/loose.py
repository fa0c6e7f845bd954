"""Single words, for what no phrase of the table matches.

A server that says something in words of its own still names the matter: a quota, a key, a route.
They are asked only where the status of RFC 3463 says little, in the order from what leaves one
reading to what leaves several. A recipient is not called unknown for one word: that takes a word
for the recipient and one for its absence.
"""

from gateway.domain.mail.returns.phrases.rule import WHO, Rule

LOOSE: tuple[Rule, ...] = (
    Rule(
        "mailbox_full", "common", (r"quota|\bfull\b|storage|(?:no|not enough|low|lack of) space",)
    ),
    Rule(
        "spam",
        "common",
        (r"spam|virus|malicious|malware|phish|junk|fraud|scam|profan|attachments?\b|unsolicited",),
    ),
    Rule(
        "throttled",
        "common",
        (
            (
                r"\brates?\b|throttl|too many|too much|excessive|concurren|simultaneous|frequen"
                r"|flood|volume|bulk|slow down"
            ),
        ),
    ),
    Rule(
        "suspended",
        "common",
        (
            (
                r"disabled|suspend|inactiv|deactivat|frozen|dormant|\blocked\b|\bclosed\b(?! "
                r"connection)|terminated|discontinued|cancell?ed|not active"
            ),
        ),
    ),
    Rule(
        "policy",
        "common",
        (
            (
                r"\bspf\b|dkim|dmarc|authenticat|polic(?:y|ies)|\btls\b|relay|\bhelo\b|\behlo\b"
                r"|ptr\b|syntax|\brfc|command|credential|spoof|forg(?:ed|ery)|signature"
                r"|security|complian|malformed|header"
            ),
        ),
    ),
    Rule(
        "blocked",
        "common",
        (r"black|blocked|\bbanned|reputation|listed\b|your (?:ip|host|server|domain)|client host",),
    ),
    Rule(
        "user_unknown",
        "common",
        (
            (
                rf"(?:{WHO}|e-?mail|login|member|name|\bid)\b.{{0,80}}\b(?:unknown|not exist"
                rf"|n't exist|nonexist|non-exist|invalid|not found|incorrect|undeliverable|no "
                rf"longer|unrecogni|wrong|mis-?spel|unallocated|not valid|removed|deleted"
                rf"|unassigned|bad)"
            ),
            (
                r"\b(?:un|not )known\b|\bnot exists?\b|(?:does|do|is|dos)n'?t exist|\bnonexist"
                r"|\bnot found\b|\bnot (?:in )?use"
            ),
            (
                r"nie istnieje|neexistuje|non esiste|n[aã]o existe|no existe|n'existe pas"
                r"|existiert nicht"
            ),
            (
                rf"\b(?:unknown|no such|nonexist\w*|non-exist\w*|invalid|incorrect"
                rf"|undeliverable|wrong|unrecogni\w*|no valid|bad|undefined"
                rf"|unassigned)\b.{{0,30}}\b(?:{WHO}|login|member|name)"
            ),
        ),
    ),
    Rule(
        "filtered",
        "common",
        (r"\b(?:refuse|reject|declin|filter|block|not want|prefer)\w*.{0,40}\b(?:user|recipient)",),
    ),
    Rule(
        "expired",
        "common",
        (
            (
                r"time-?out|timed|connection|retry|retries|\bdns\b|lookup|network|\broute"
                r"|routing|loop|\bhops?\b|socket|greeting|handshake|no answer|defer|delay"
                r"|attempts"
            ),
        ),
    ),
    Rule(
        "system",
        "common",
        (
            (
                r"\berror|fail(?:ed|ure)|temporar|unavailable|internal|resource|config|database"
                r"|disk|memory|overload|maintenance|trouble|problem|busy|try again|later\b"
            ),
        ),
    ),
)
"""In the order in which they are asked."""
