"""What servers say of the mail: its content and its sender's address."""

from gateway.domain.mail.returns.phrases.rule import Rule

MAILS: tuple[Rule, ...] = (
    # --- what is in the mail
    Rule(
        "spam",
        "clamav-milter, amavis, gateways; RFC 3463 x.7.0, x.6.x",
        (
            r"virus|malware|gtube|eicar|\bbanned:|trojan|\bworm\b|phish|infected",
            (
                r"(?:banned|forbidden|prohibited|disallowed|suspicious|dangerous|illegal"
                r"|blocked|restricted) (?:\w+ )?(?:attachment|file|content|extension|name)"
            ),
            (
                r"(?:attachment|file type|executable|extension)s? (?:\S+ ){0,4}(?:not (?:allowed"
                r"|permitted)|blocked|prohibited|rejected|banned|forbidden)"
            ),
            (
                r"ransomware|unacceptable (?:content|attachment)|sensitive (?:word|content"
                r"|info)|html tag"
            ),
        ),
    ),
    Rule(
        "spam",
        "google 5.7.1, SpamAssassin, rspamd, gateways; microsoft 5.7.512",
        (
            r"spam|\bbulk (?:mail|e-?mail)|\bjunk\b|unsolicited|\bube\b|\buce\b|bayes|dcc\b|razor",
            (
                r"(?:message|mail|email|content|body|header|subject)s? (?:\S+ ){0,4}(?:rejected"
                r"|refused|denied|blocked|filtered|not accepted|prohibited|restricted) (?:\S+ "
                r"){0,3}(?:for|by|due to|because of|based on|as) (?:\S+ ){0,3}(?:content|filter"
                r"|header|score|scanner|subject)"
            ),
            r"content[- ](?:filter|reject|scan|check|policy|restrict|denied|refused|blocked)",
            r"header (?:is |are )?too (?:large|long)|\(hv[ui]:|headers too (?:large|long)",
            r"(?:denied|rejected) (?:by|due to) (?:\w+ ){0,2}(?:content|filter|scanner|milter)",
            (
                r"scored? (?:\S+ ){0,3}points|high(?:ly)? (?:probable|suspicious|score)|looks "
                r"like|suspicious"
            ),
            r"(?:too (?:many|long)) (?:header|line|mime)|line too long",
            r"lines? (?:\w+ ){0,2}longer|8.?bit (?:data|char)|nested too",
            r"mime (?:\w+ )?(?:error|invalid|depth|defect)",
            r"message (?:header|content) (?:\w+ ){0,3}(?:rejected|invalid|violates)|mail rejet[eé]",
            r"mime/reject|invalid structure|mail data (?:is )?(?:refused|rejected|denied)",
        ),
    ),
    # --- the sender's address
    Rule(
        "blocked",
        "RFC 3463 x.1.7, x.1.8; postfix reject_unknown_sender_domain; exim sender verify",
        (
            (
                r"sender(?:'s)?(?: e?-?mail)?(?: address| domain| verif\w+| mailbox| host| id| "
                r"name| email){0,2}(?: \S+){0,4}? (?:rejected|refused|denied|invalid|unknown"
                r"|fail\w*|unroutable|unresolvable|blocked|banned|not (?:found|exist|allowed"
                r"|accepted|authori[sz]ed|permitted|valid|known)|does(?: not|n't) (?:exist"
                r"|resolve)|do(?:es)? not exist|undeliverable|required|prohibited)"
            ),
            (
                r"(?:invalid|unknown|bad|unroutable|unresolvable|unauthori[sz]ed|unverified"
                r"|forged|rejected|blocked|illegal|fake) (?:\w+ ){0,2}(?:sender|mail from|from "
                r"address|return[- ]path|from:)"
            ),
            (
                r"(?:from|return[- ]path|envelope sender|originator)(?: address| domain)? (?:\S+ "
                r"){0,4}(?:does not exist|not exist|invalid|cannot be (?:verified|resolved)|could "
                r"not be verified|blocked)"
            ),
            r"(?:could not|cannot|unable to|can't) (?:verify|resolve) (?:\S+ ){0,3}(?:sender|from)",
            r"sender (?:address )?(?:mismatch|does not belong)|sender identity",
            r"(?:from|sender)(?: address| header)? (?:does not|doesn't|must) match",
            (
                r"domain of (?:\w+ )?sender|unconfigured|^mail from \S+ (?:is )?not (?:allowed"
                r"|accepted|permitted)|backscatter|(?:required|missing) (?:for|in) (?:the "
                r")?sender"
            ),
            r"(?:sender|from)(?:\W| header){1,3}(?:\w+ ){0,3}not verified|permanently deferred",
            (
                r"(?:you are|you're|not) (?:\w+ ){0,3}(?:allowed|authori[sz]ed|permitted) to "
                r"(?:send|mail|post|submit|e-?mail)"
            ),
            r"permission to (?:post|send)",
            r"mail from (?:\S+ ){0,3}(?:rejected|refused|not accepted)$|access denied for sender",
            r"closed (?:list|group)|only (?:members|subscribers)",
            r"not (?:a )?(?:member(?! of domain)|subscriber|subscribed)|only registered users",
            (
                r"senders? (?:(?:is|are) )?not (?:in|on|an?|permitted|one)\b|senders? (?:is"
                r"|are) not|purported responsible address|registered gateway"
            ),
            r"mail ?from\b.{0,60}mismatch|verify mail ?from|sender e?-?mail is not in",
        ),
    ),
    # --- a site's rules, in words that also name the recipient
    Rule(
        "policy",
        "gmx, web.de; RFC 3463 x.7.1",
        (r"reject(?:ed)? (?:due to|by|for|because of) (?!content)(?:\w+ )?polic(?:y|ies)\b",),
    ),
)
