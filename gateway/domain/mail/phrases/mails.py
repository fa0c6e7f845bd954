"""What servers say of the mail, of who sends it, and of how much of it; and full mailboxes."""

from gateway.domain.mail.phrases import languages
from gateway.domain.mail.phrases.rule import Rule

MAILS: tuple[Rule, ...] = (
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
        "daum, naver, yandex: the recipient's own list",
        (
            (
                r"(?:user|recipient|addressee|member)'?s? (?!in |on )(?:\w+ )?(?:reject|block|deny|black"
                r"|spam|ban|personal)(?:ed|ing)?[ -]?(?:list|filter|rule|setting)"
            ),
        ),
    ),
    Rule(
        "expired",
        "RFC 5321 6.3: loops are found by counting trace lines",
        (r"\breceived\W{1,4}(?:data )?headers?|too many (?:\S+ )?received\b",),
    ),
    Rule("spam", "netease: its codes, as its help pages explain them", (r"\bdt:s?sp[mf]?\b",)),
    Rule("throttled", "netease", (r"\bhl:i\w{2}\b|\bmi:(?:sfq|dmc|ccl|cel)\b|\brp:(?:drc|rqc)\b",)),
    Rule("blocked", "netease", (r"\bdt:rbl\b|\bwm:bl[iu]\b|\bhl:(?:rep|mep)\b",)),
    Rule(
        "mailbox_full",
        "web.de: messages counted, not bytes",
        (
            r"too many (?:e-?mails|mails|messages) (?:on|in) (?:\w+ ){0,2}(?:server|mailbox|inbox)",
            r"(?:update|append|access|writing) (?:\S+ ){0,9}file too large",
        ),
    ),
    Rule(
        "policy",
        "google 5.7.0: attachments of kinds that it bars",
        (r"presents a potential",),
    ),
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
                r"spam[- ]?(?:pattern|content|signature|text|scor|word|like|message|phrase|url|link|detect"
                r"|suspect|classif|engine|reject|check|test)"
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
            r"(?:excessive|unexpected|unusual|high|large|mass) (?:\w+ ){0,2}(?:volume|traffic|rate)(?! or)",
            (
                r"(?:send(?:ing)?|message|mail|connection|delivery|submission|recipient|smtp|reject) "
                r"rate (?:\w+ ){0,3}(?:exceeded|too high|limit|reached)"
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
            r"(?:limit|quota) (?:for|of|on) (?:\S+ ){0,4}(?:messages|recipients|e?-?mails|connections)",
            (
                r"max(?:imum)? (?!(?:\w+ ){0,4}(?:size|length|hops?|storage|quota|space|attempts|retr"
                r"|time|age))(?:\w+ ){0,4}(?:exceeded|reached)"
            ),
            r"queue quota|too many same|volume of (?:\w+ ){0,2}(?:mail|e-?mail|messages)",
            r"frequency (?:limit|of)|max(?:imum)? (?:\w+ ){0,4}per (?:hour|day|minute)|grey-?list",
            r"\bserver (?:is )?(?:too )?busy|^\W*busy\b|\btoo busy|connection slots|please try again slower|throughput|too quickly",
            r"temporarily deferred(?!.{0,60}complaint)",
        ),
    ),
    # --- full mailboxes
    Rule(
        "mailbox_full",
        "RFC 5321 552 (exceeded storage allocation), RFC 3463 x.2.2, google, common",
        (
            r"over.?quot[ae]\b|overdrawn|(?:disk ?space|storage|mailbox|disk|user) quota|quota (?:is |has been |was )?(?:full|exceeded|reached|exceeds|violation)",
            r"exceed(?:s|ed|ing)? (?:\S+ ){0,6}(?:quota|storage|mailbox|disk)",
            r"out of (?:storage|quota)|disk quota|quota violation",
            r"not enough (?:storage|disk) space|insufficient (?:disk )?quota",
            (
                r"mail(?:box|drop| box| folder) (?:\S+ ){0,5}(?:is |was |are )?(?:currently |too "
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
    *languages.REFUSED,
    # --- who may send: authentication, reverse DNS, reputation
    Rule(
        "policy",
        "RFC 7208 8.4, RFC 6376, RFC 7489 10.3, RFC 7372",
        (
            r"\bspf\b|sender policy framework|\bdkim\b|\bdmarc\b|\barc\b validation",
            r"(?:sender|message|email|mail) (?:is |was )?(?:not authenticated|unauthenticated)",
            r"unauthenticated (?:email|mail|message|sender)",
            r"fails? (?:\w+ ){0,3}authentication check|authentication information or|sender id",
            r"reject(?:ed)? (?:due to|by|for|because of) (?:\w+ )?polic(?:y|ies)\b|complian(?!t\b)|encrypt|starttls|\b(?:tls|ssl|dane|tlsa|dnssec)\b|certificate|mta-sts|tlsa-|dnssec-",
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
        (r"client (?:host )?(?:\S+ )?blocked (?:using|by)|\bblocked using (?!spam)",),
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
            r"not handle mail for (?!th|<@>)|(?:do not|don't|will not|won't|cannot|no|den(?:y|ies)) relay|relay check",
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
                r"){0,4}(?:blocked|filtered|restricted|suspended|banned|blacklisted|listed|rejected|refused|denied|prohibited"
                r"|not (?:allowed|accept))"
            ),
            (
                r"(?:mail|messages?|connections?) from (?:\S+ ){0,6}(?:ip|host|server|network"
                r"|address|is|are|has)(?: been| was| were| being)? (?:blocked|banned|refused"
                r"|denied|rejected)"
            ),
            r"\bips? (?:\w+ )?(?:is |are |was )?blocked|(?:bad|poor) (?:ip|host|sender)",
            r"\bblocked (?:ip|host|address|for abuse)|temporarily blocked",
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
            r"(?:forbidden|rejected|refused|denied|blocked) (?:by|for|due to) your (?:ip|host|server)",
            r"part of (?:their|your|the) network|(?:dictionary|harvest\w*|abus\w+) attack",
            (
                r"(?:your|you) (?:\w+ )?access (?:to|rights)? ?(?:\S+ ){0,9}(?:rejected|denied"
                r"|refused|blocked|restricted)"
            ),
            r"(?:not|n't) (?:\w+ )?(?:allowed|permitted|authori[sz]ed|accepted) (?:to (?:connect|use this)|access\b|from your)",
            r"no (?:mail|smtp|esmtp) (?:service )?(?:for|from) you",
            r"(?:bad|invalid|forged|illegal|unknown) (?:helo|ehlo)",
            r"(?:helo|ehlo) (?:command )?rejected|cannot send e-?mail to yourself|s3140|s3150",
            r"\((?:rtr|rly|dns|con|dyn):\w{2,3}\)",
            r"bann?ed (?:\w+ )?(?:ip|sender)|intrusion",
            r"(?:use|through|via) (?:\w+ ){0,5}(?:isp|provider)\b",
            r"not accept (?:\w+ )?mail from (?:your|this|\[)|service refuse|\bblock-?send",
        ),
    ),
    # --- what is in the mail
    Rule(
        "spam",
        "clamav-milter, amavis, gateways; RFC 3463 x.7.0, x.6.x",
        (
            r"virus|malware|trojan|\bworm\b|phish|infected",
            (
                r"(?:banned|forbidden|prohibited|disallowed|suspicious|dangerous|illegal|blocked|restricted) "
                r"(?:\w+ )?(?:attachment|file|content|extension|name)"
            ),
            (
                r"(?:attachment|file type|executable|extension)s? (?:\S+ ){0,4}(?:not (?:allowed"
                r"|permitted)|blocked|prohibited|rejected|banned|forbidden)"
            ),
            r"ransomware|unacceptable (?:content|attachment)|sensitive (?:word|content|info)|html tag",
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
            r"header (?:is |are )?too (?:large|long)|headers too (?:large|long)",
            r"(?:denied|rejected) (?:by|due to) (?:\w+ ){0,2}(?:content|filter|scanner|milter)",
            r"high(?:ly)? (?:probable|suspicious|score)|looks like|suspicious",
            r"(?:too (?:many|long)) (?:header|line|mime)|line too long",
            r"lines? (?:\w+ ){0,2}longer|8.?bit (?:data|char)|nested too",
            r"mime (?:\w+ )?(?:error|invalid|depth)",
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
            r"domain of sender|backscatter|(?:required|missing) (?:for|in) (?:the )?sender",
            r"(?:sender|from)(?:\W| header){1,3}(?:\w+ ){0,3}not verified|permanently deferred",
            (
                r"(?:you are|you're|not) (?:\w+ ){0,3}(?:allowed|authori[sz]ed|permitted) to "
                r"(?:send|mail|post|submit|e-?mail)"
            ),
            r"permission to (?:post|send)",
            r"mail from (?:\S+ ){0,3}(?:rejected|refused|not accepted)$|access denied for sender",
            r"closed (?:list|group)|only (?:members|subscribers)",
            r"not (?:a )?(?:member(?! of domain)|subscriber|subscribed)|only registered users",
            r"senders? (?:(?:is|are) )?not (?:in|on|an?|permitted|one)\b|senders? (?:is|are) not|purported responsible address|registered gateway",
            r"mail ?from\b.{0,60}mismatch|verify mail ?from|sender e?-?mail is not in",
        ),
    ),
)
