"""What servers say of themselves, of their rules, and of the way to them."""

from gateway.domain.mail.returns.phrases import languages
from gateway.domain.mail.returns.phrases.rule import Rule

SERVERS: tuple[Rule, ...] = (
    # --- local programs that failed
    Rule(
        "system",
        "postfix pipe(8), local(8); exim pipe transport; sendmail prog mailer; RFC 3463 x.3.x",
        (
            (
                r"points? back to|\.qmail\b|recursi(?:on|ve)|transport error|mailbox (?:is "
                r")?busy|ruleset|service unavailable|create output"
            ),
            r"mailer error|command (?:died|failed|line usage)|vdelivermail|child status",
            r"transport (?:is |was )?unavailable|shutting down|local problem",
            r"exit (?:status|code)|local delivery (?:fail|error)|can't create user output",
            r"operating system error|unknown mailer|died with status|x-unix",
            r"local configuration error|loop alert|loops? back to|config(?:uration)? error",
            r"i/o error|no space left|disk full",
            (
                r"insufficient (?:system )?(?:storage|resources|disk)|out of memory|allocate "
                r"memory|can(?:'t|not) fork|error in processing"
            ),
            (
                r"(?:temporary|temp|local|internal|server|system|unexpected|ldap|database|backend"
                r"|queue file|write|software|protocol) (?:\w+ )?(?:error|failure|fault"
                r"|problem)"
            ),
            r"\bldap\b|directory (?:lookup|service)|aliasing|alias expansion",
            r"server (?:down|configuration)|not (?:enough|sufficient) (?:system|disk|server)",
            r"system (?:not accepting|is (?:down|unavail)|error|unavailable|resources)",
            (
                r"(?:service|server|system|gateway|backend|database) (?:\w+ "
                r"){0,2}(?:not available|unavailable|down\b|overload\w*)"
            ),
            (
                r"(?:unable to|cannot|can't|could not) process (?:\w+ ){0,4}(?:at this time|now"
                r"|moment|request|message|mail|e-?mail|your)"
            ),
            r"no (?:recipient|valid recipients?) specified",
            (
                r"cannot (?:open|write|append|create|lock)|error writing|error queue?ing"
                r"|writing queue|write failed"
            ),
            r"could ?n[o']t (?:open|write|create|lock|append)|licen[sc]e (?:\w+ ){0,2}expired",
        ),
    ),
    # --- rules of the receiving site
    Rule(
        "policy",
        "RFC 5321 4.2.2 (500-504), RFC 3463 x.5.x, RFC 5322 3.6; google 5.7.1; RFC 8461",
        (
            r"polic(?:y|ies)\b|rfc.?\d{3,4}|not (?:\w+ )?rfc|rfc (?:compl|viol|ignor)",
            r"non-?compliant|syntax error|(?:improper|bad|wrong|invalid) (?:command )?sequence",
            (
                r"command (?:\w+ )?(?:not (?:recogni[sz]ed|implemented|allowed|permitted)"
                r"|unrecogni[sz]ed|rejected)"
            ),
            r"improper (?:use|command)|unrecogni[sz]ed (?:command|parameter)",
            r"protocol (?:violation|error)|the smtp protocol|pipelining|bare (?:cr|lf|newline)",
            (
                r"(?:access|permission|authori[sz]ation|submission) (?:is )?(?:denied|refused"
                r"|required|restricted)"
            ),
            r"not (?:authori[sz]ed|permitted|allowed)",
            r"authentication (?:is )?(?:required|failed|unsuccessful|credentials|needed)",
            r"auth(?:entication)?required|must (?:be )?(?:authenticate|use|issue)",
            r"administrative(?:ly)? (?:prohibit|reject|den)",
            r"(?:delivery|mail|message) (?:\S+ ){0,3}(?:prohibited|restricted|forbidden)|denied by",
            (
                r"(?:missing|multiple|duplicate|invalid|malformed|bad) (?:\S+ ){0,3}(?:header"
                r"|addresses in|message-id|date|from|mime)"
            ),
            r"security (?:reason|violation|check|setting|level|issue)|password|credentials",
            r"unauthori[sz]ed|prohibit|violat|forbidden|address (?:\w+ )?syntax",
            (
                r"no permi(?:t|ssion)\b|(?:restricted|illegal|forbidden|special|disallowed) "
                r"characters?"
            ),
            r"auth failed|local users? only|authentication mechanism",
            (
                r"(?:need|say|send|issue|expect\w*|requires?|without|no|polite) (?:\w+ "
                r"){0,2}(?:rcpt|mail from|ehlo|helo)\b|(?:rcpt|mail(?: from)?|helo|ehlo) first"
            ),
            r"unsupported|not supported|mandatory|(?:subject|header) (?:is )?(?:missing|empty)",
            r"no [\w-]+ (?:field|header) |must have|whitelist|verif(?:y|ied)",
        ),
    ),
    # --- a pause of a few minutes is what greylisting asks for
    Rule(
        "throttled",
        "RFC 6647 2.1; common",
        (r"(?:retry|try|try again|come back) (?:in|after) (?:\d{1,5} ?)?(?:sec|min)",),
    ),
    # --- time ran out, or nobody answered
    Rule(
        "expired",
        "RFC 3463 x.4.x; postfix, exim retry rules, sendmail queue texts, qmail-send, microsoft",
        (
            r"timed? ?out|time ?out",
            r"connection (?:refused|reset|closed|lost|dropped|died|was (?:closed|lost|reset))",
            (
                r"(?:unable|failed|not able|couldn't|could not|cannot|can't) (?:\w+ "
                r"){0,3}(?:connect|contact|reach|establish)"
            ),
            (
                r"lost connection|dropped connection|unreachable|no route to host|network "
                r"(?:error|is|problem|failure)"
            ),
            r"expired|retry (?:time|timeout)",
            r"(?:queue|queued|queueing|retr(?:y|ied|ying)|delayed|deferred)\b",
            r"too (?:long|old)(?! recip| addr)|giving up|given up|gave up|still (?:being )?retried",
            r"for (?:more than |the last |over |past )?\d{1,7} (?:second|minute|hour|day)s?",
            r"too many hops|hop count|\bloop(?:s|ed|ing)?\b",
            r"maximum (?:number of )?(?:allowed )?(?:hops|times)|socket error|read error|is broken",
            r"delivery failed \d+ attempts|did not (?:accept our requests|respond|reply|answer)",
            (
                r"lookup did not|failure in \w+ lookup|no answer|not respond|lookup failure"
                r"|lookup fail|name ?server|name service|unknown, try again"
            ),
            (
                r"(?:attempts|tries|retries) (?:\w+ ){0,4}(?:to|have|were|failed|reached"
                r"|exceeded|made)"
            ),
            r"end of (?:socket|file|stream)|\beof\b|(?:no|bad) (?:server )?response",
            r"(?:after|within|in) [\d.]{1,8} (?:second|minute|hour|day)|delivery (?:time|period)",
            r"no hosts? (?:available|existing)|all (?:hosts|servers)|dns (?:error|failure|problem)",
        ),
    ),
    languages.LATE,
    # --- refusals that give no reason
    Rule(
        "blocked",
        "common",
        (
            r"\b(?:blocked|banned|refused to (?:talk|accept)|denied)\b|go away|not welcome",
            r"unwelcome|you (?:are|have been) (?:\w+ )?(?:rejected|refused)|groups\.google",
            r"google groups?",
        ),
    ),
    Rule(
        "spam",
        "common: a content refused without a word",
        (
            r"\b(?:message|mail) (?:content )?(?:rejected|refused)",
            r"\bmail (?:\S+ )?is (?:rejected|refused)|permanently rejected",
        ),
    ),
)
