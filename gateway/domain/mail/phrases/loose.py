"""Single words, for what no phrase of the table matches.

A server that says something in words of its own still names the matter: a quota, a key, a route.
They are asked only where the status of RFC 3463 says little, in the order from what leaves one
reading to what leaves several. A recipient is not called unknown for one word: that takes a word
for the recipient and one for its absence.
"""

from gateway.domain.mail.phrases.rule import WHO, Rule

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
            r"\brates?\b|throttl|too many|too much|excessive|concurren|simultaneous|frequen|flood"
            r"|volume|bulk|slow down",
        ),
    ),
    Rule(
        "suspended",
        "common",
        (
            r"disabled|suspend|inactiv|deactivat|frozen|dormant|\blocked\b|\bclosed\b(?! connection)"
            r"|terminated|discontinued|cancell?ed|not active",
        ),
    ),
    Rule(
        "policy",
        "common",
        (
            r"\bspf\b|dkim|dmarc|authenticat|polic(?:y|ies)|\btls\b|relay|\bhelo\b|\behlo\b|ptr\b"
            r"|syntax|\brfc|command|credential|spoof|forg(?:ed|ery)|signature|security|complian"
            r"|malformed|header",
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
            rf"(?:{WHO}|e-?mail|login|member|name|\bid)\b.{{0,80}}\b(?:unknown|not exist|n't exist"
            rf"|nonexist|non-exist|invalid|not found|incorrect|undeliverable|no longer|unrecogni|wrong"
            rf"|mis-?spel|unallocated|not valid|removed|deleted|unassigned|bad)",
            r"\b(?:un|not )known\b|\bnot exists?\b|(?:does|do|is|dos)n'?t exist|\bnonexist|\bnot found\b",
            r"nie istnieje|neexistuje|non esiste|n[aã]o existe|no existe|n'existe pas|existiert nicht",
            rf"\b(?:unknown|no such|nonexist\w*|non-exist\w*|invalid|incorrect|undeliverable|wrong"
            rf"|unrecogni\w*|no valid|bad|undefined|unassigned)\b.{{0,30}}\b(?:{WHO}|login|member|name)",
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
            r"time-?out|timed|connection|retry|retries|\bdns\b|lookup|network|\broute|routing|loop"
            r"|\bhops?\b|socket|greeting|handshake|no answer|defer|delay|attempts",
        ),
    ),
    Rule(
        "system",
        "common",
        (
            r"\berror|fail(?:ed|ure)|temporar|unavailable|internal|resource|config|database|disk"
            r"|memory|overload|maintenance|trouble|problem|later\b",
        ),
    ),
)
"""In the order in which they are asked."""
