"""What some platforms mean by words that mean something else elsewhere."""

from gateway.domain.mail.returns.phrases.rule import Rule

PLATFORMS: tuple[Rule, ...] = (
    # --- what one platform means by words that mean something else elsewhere
    Rule(
        "filtered",
        "au: no address before the colon",
        (r"^ ?: ?user unknown",),
    ),
    Rule(
        "user_unknown",
        "microsoft: directory-based edge blocking refuses whoever is not in the directory",
        (r"5\.4\.1\D{1,40}recipient address rejected: access denied",),
    ),
    Rule(
        "filtered",
        "microsoft",
        (r"resolver\.rst\.(?:not|restricted)|has blocked you|no longer (?:accept|receiv)",),
    ),
    Rule(
        "filtered",
        "daum, naver, yandex, qmail: the recipient's own list",
        (
            (
                r"\bbad ?rcpt ?to\b|by (?:the )?recipient'?s? filter|access to "
                r"<@>|from you is (?:not |un)wanted"
            ),
            (
                r"(?:permission|allowed|permitted|authori[sz]ed) to (?:post|send|deliver|mail)\b"
                r"(?: \w+){0,4} (?:mailbox|recipient|user)\b"
            ),
            (
                r"delivery (?:is )?not (?:allowed|permitted) to (?:this|the|that) (?:address"
                r"|recipient|mailbox|user)"
            ),
            (
                r"(?:user|recipient|addressee|member)'?s? (?!in |on )(?:\w+ )?(?:reject|block"
                r"|deny|black|spam|ban|personal)(?:ed|ing)?[ -]?(?:list|filter|rule|setting)"
            ),
        ),
    ),
    Rule(
        "expired",
        "RFC 5321 6.3: loops are found by counting trace lines",
        (r"\breceived\W{1,4}(?:data )?headers?|too many (?!rec|mes|mai)(?:\S+ )?received\b",),
    ),
    Rule("spam", "netease: its codes, as its help pages explain them", (r"\bdt:s?sp[mf]?\b",)),
    Rule("throttled", "netease", (r"\bhl:i\w{2}\b|\bmi:(?:sfq|dmc|ccl|cel)\b|\brp:(?:drc|rqc)\b",)),
    Rule("blocked", "netease", (r"\bdt:rbl\b|\bwm:bl[iu]\b|\bhl:(?:rep|mep)\b",)),
    Rule(
        "mailbox_full",
        "web.de: messages counted, not bytes",
        (
            r"(?:disk|storage|mailbox|user'?s?) quota (?:is |was )?exceeded",
            r"too many (?:e-?mails|mails|messages) (?:on|in) (?:\w+ ){0,2}(?:server|mailbox|inbox)",
            r"(?:update|append|access|writing) (?:\S+ ){0,9}file too large",
        ),
    ),
    Rule(
        "policy",
        "google 5.7.0: attachments of kinds that it bars",
        (r"presents a potential",),
    ),
    Rule("policy", "google 5.7.1", (r"not rfc.?\d{3,4} complian",)),
    # --- content that names a block list is not a blocked server
    Rule(
        "spam",
        "gateways",
        (
            r"\b(?:url|uri|link|domain)s? (?:in|within) (?:the |your )?(?:message|mail|body)",
            r"(?:blacklisted|blocked|bad|malicious|listed) (?:url|uri|link)s?|\b(?:uribl|surbl)\b",
            r"message contains? (?:a )?(?:blacklisted|spam|url)",
            (
                r"\b(?:url|uri|link|domain)s?\b.{0,40} (?:in|within|inside) (?:the |your |this |an "
                r")?(?:message|e-?mail|mail|body|content)\b"
            ),
            (
                r"spam[- ]?(?:pattern|content|signature|text|scor|word|like|message|phrase|url"
                r"|link|detect|suspect|classif|engine|reject|check|test)"
            ),
            r"password[- ]protected|encrypted (?:attachment|archive|file)",
            r"anti-?spam (?:engine|filter|system|check|rule|polic)",
            r"contains? (?:\w+ ){0,2}spam|(?:message|mail) is spam",
            (
                r"(?:blacklisted|high.?risk|dangerous|prohibited|banned) (?:[\w-]+ ){0,3}(?:file"
                r"|attachment|extension|word|content|phrase)"
            ),
        ),
    ),
)
