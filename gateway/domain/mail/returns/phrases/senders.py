"""What servers say of who sends: reputation, authentication, relaying, block lists."""

from gateway.domain.mail.returns.phrases import languages
from gateway.domain.mail.returns.phrases.rule import Rule

SENDERS: tuple[Rule, ...] = (
    *languages.REFUSED,
    # --- who may send: authentication, reverse DNS, reputation
    Rule(
        "policy",
        "RFC 7208 8.4, RFC 6376, RFC 7489 10.3, RFC 7372",
        (
            r"\bspf\b|sender policy framework|\bdkim\b|\bdmarc\b|\barc\b validation",
            r"(?:sender|message|email|mail) (?:is |was )?(?:not authenticated|unauthenticated)",
            r"unauthenticated (?:email|mail|message|sender)",
            (
                r"fails? (?:\w+ ){0,3}authentication check|authentication information or|sender "
                r"id\b|\bunauthenticated\b|rfc \d{4} complian"
            ),
            (
                r"complian(?!t\b)|encrypt|starttls|\b(?:tls|ssl|dane|tlsa|dnssec)\b|certificate"
                r"|mta-sts|tlsa-|dnssec-"
            ),
            r"(?:cannot|can't|unable to|failed to|could not|not) authenticat",
        ),
    ),
    Rule(
        "policy",
        "RFC 7372 x.7.25; RFC 1912 2.1; common",
        (
            r"reverse[- ](?:dns|lookup|name|mapping|hostname)|\brdns\b|\bptr\b",
            r"no (?:valid )?reverse",
            (
                r"(?:cannot|can't|could not|unable to|can not) (?:find|resolve|verify) (?:your "
                r"|the )?(?:\w+ )?(?:hostname|reverse|ip)"
            ),
            r"(?:dynamic|generic|residential) (?:ip|host|address|pool)",
            r"(?:fix|check) (?:your )?(?:reverse )?dns\b|forward[- ]confirmed",
            (
                r"ip (?:address )?(?:\S+ ){0,2}(?:has no|without|does not have) (?:\w+ "
                r"){0,2}(?:name|dns)"
            ),
        ),
    ),
    Rule(
        "blocked",
        "postfix reject_rbl_client, before the reputation that the list's name may hold",
        (
            (
                r"client (?:host )?(?:\S+ )?blocked (?:using|by)|\bbad ?mail ?from\b|possible "
                r"forgery|\bmust resolve\b|(?:postmaster|sender) verif\w+ failed|complete "
                r"sender verif|\bblocked using (?!spam)"
            ),
        ),
    ),
    Rule(
        "policy",
        "yahoo TSS04; gateways; google; microsoft",
        (r"\breputation\b|senderscore|user complaints|complaint rate",),
    ),
    # --- relaying
    Rule(
        "policy",
        "RFC 5321 7.7 with 554/550; postfix, exim, sendmail, qmail (rcpthosts), microsoft",
        (
            (
                r"relay(?:ing)? (?:\S+ ){0,5}(?:denied|prohibited|not (?:permitted|allowed)"
                r"|disallowed|refused|rejected|disabled|blocked|restricted)"
            ),
            (
                r"(?:unable|not (?:permitted|allowed|authori[sz]ed)|cannot|refus\w+|no "
                r"permission) (?:\w+ ){0,2}to relay"
            ),
            (
                r"not handle mail for (?!th|<@>)|(?:do not|don't|will not|won't|cannot|no"
                r"|den(?:y|ies)) relay|relay check"
            ),
            r"\bas (?:a|an open) relay|relay (?:through|via|mail|messages|e-?mail)",
            r"relaying (?:mail )?(?:to|through|for|by)|relay (?:access|operation|attempt)",
            r"open relay|insecure (?:mail )?relay",
            r"(?:isn't|is not|not) in my list of allowed rcpthosts|rcpthosts|not (?:a )?gateway",
            r"not (?:a )?local (?:domain|host)|mail transport unavailable|unauthorized relay",
        ),
    ),
    # --- the server's or the network's address is on a list
    Rule(
        "blocked",
        "RFC 5782; postfix reject_rbl_client; microsoft S3140, S3150; apple; common",
        (
            (
                r"\b(?:spamhaus|spamcop|sorbs|barracudacentral|abuseat|dnsbl|dnswl|rbls?|dnsrbl"
                r"|cbl|psbl|xbl|sbl|pbl|uceprotect|backscatterer|cloudmark|invaluement"
                r"|senderbase)\b"
            ),
            r"bloc?k[- ]?list|black[- ]?list|deny ?list|ban(?:ned)? ?list|access list",
            (
                r"(?:blocked|rejected|listed|denied|refused) (?:using|by|at|in|on|via) (?:\S+ "
                r"){0,2}(?:rbl|dnsbl|bl\.|zen\.|list)"
            ),
            r"blocked using|\blocal (?:bl|block)",
            (
                r"(?:your|sending|client|source|connecting|sender'?s?|originating) (?:\S+ "
                r"){0,3}(?:ip|host|server|network|address|mta)s?\b\S*(?: address)? (?:\S+ "
                r"){0,4}(?:blocked|filtered|restricted|suspended|banned|blacklisted|listed"
                r"|rejected|refused|denied|prohibited|not (?:allowed|accept))"
            ),
            (
                r"(?:mail|messages?|connections?) from (?:\S+ ){0,6}(?:ip|host|server|network"
                r"|address|is|are|has)(?: been| was| were| being)? (?:blocked|banned|refused"
                r"|denied|rejected)"
            ),
            r"\bips? (?:\w+ )?(?:is |are |was )?blocked|(?:bad|poor) (?:ip|host|sender)",
            (
                r"(?<!not )\blisted (?:at|by) |history of|\bblocked (?:ip|host|address|for "
                r"abuse)|temporarily blocked"
            ),
            r"client (?:host )?(?:\S+ ){0,3}(?:rejected|blocked|denied|banned|refused)",
            r"not (?:in|on) (?:\w+ ){0,2}(?:white|allow|pass|safe|trusted)-?\s?list",
            r"(?:mail|messages?|connections?) (?:\w+ )?(?:over|via|from) ipv6",
            (
                r"connect(?:ion)? (?:\w+ ){0,3}(?:refused by policy|rejected|blocked|not "
                r"(?:allowed|accepted)|denied|dropped by)"
            ),
            (
                r"\d\.\d{1,3}\W{0,3} (?:is |was |has been |are )?(?:currently |temporarily |now "
                r")?(?:black|blocked|banned|listed|rejected|denied|blacklisted)"
            ),
            r"(?<!originating )from your (?:ip|server|host|network|location|country)",
            r"connection (?:\w+ ){0,2}not (?:authori[sz]ed|allowed|permitted|accepted)",
            r"unauthori[sz]ed (?:interface|host|ip|client|server|connection|network)",
            (
                r"(?:forbidden|rejected|refused|denied|blocked) (?:by|for|due to) your (?:ip"
                r"|host|server)"
            ),
            r"part of (?:their|your|the) network|(?:dictionary|harvest\w*|abus\w+) attack",
            (
                r"(?:your|you) (?:\w+ )?access (?:to|rights)? ?(?:\S+ ){0,9}(?:rejected|denied"
                r"|refused|blocked|restricted)"
            ),
            (
                r"(?:not|n't) (?:\w+ )?(?:allowed|permitted|authori[sz]ed|accepted) (?:to "
                r"(?:connect|use this)|access\b|from your)"
            ),
            r"no (?:mail|smtp|esmtp) (?:service )?(?:for|from) you",
            r"(?:bad|invalid|forged|illegal|unknown) (?:helo|ehlo)",
            r"(?:helo|ehlo) (?:command )?rejected|cannot send e-?mail to yourself|s3140|s3150",
            r"\((?:rtr|rly|dns|con|dyn):\w{2,3}\)",
            r"bann?ed (?:\w+ )?(?:ip|sender)|intrusion",
            r"(?:use|through|via) (?:\w+ ){0,5}(?:isp|provider)\b",
            r"not accept (?:\w+ )?mail from (?:your|this|\[)|service refuse|\bblock-?send",
        ),
    ),
)
