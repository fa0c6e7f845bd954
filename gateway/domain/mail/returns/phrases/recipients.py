"""What servers say of the recipient."""

from gateway.domain.mail.returns.phrases import languages
from gateway.domain.mail.returns.phrases.rule import WHO, Rule

RECIPIENTS: tuple[Rule, ...] = (
    # --- a local program failed; what it printed is not a mail server's word
    Rule(
        "system",
        "postfix pipe(8), local(8); exim pipe transport",
        (
            r"command output|procmail|maildrop|\bpipe to \||x-unix;",
            r"point(?:s|ed|ing)? (?:back )?to (?:the )?(?:local ?host|me\b|myself|us\b|itself)",
            r"could not complete (?:\w+ ){0,3}callout|no such (?:file|directory|device)",
            r"maildir (?:delivery|failed|error)|on maildir|to maildir|dot-?lock|command time limit",
            (
                r"homedir|(?:can't|cannot|could not|unable to) (?:open|create|lock) (?:\w+ "
                r")?(?:mailbox|file)"
            ),
        ),
    ),
    # --- accounts that are shut
    Rule(
        "suspended",
        "RFC 3463 x.2.1, RFC 5248 x.7.13; google, yahoo, vpopmail, common",
        (
            (
                r"(?:account|user|mail ?box|recipient|address|addressee|domain|customer|alias"
                r"|profile|email)(?:\(s\)|s)?(?: \S+){0,6}? (?:disabled|suspended|deactivated"
                r"|de-?activated|inactive|locked|closed|expired|terminated|frozen|discontinued"
                r"|dormant|blocked due to inactivity|on hold|not active|not activated|cancell?ed"
                r"|archived|not been activated|is unpaid)\b"
            ),
            (
                r"(?:disabled|suspended|inactive|locked|closed|expired|deactivated|dormant"
                r"|terminated) (?:\w+ ){0,2}(?:account|user|mailbox|recipient|address|e-?mail"
                r"|domain)"
            ),
            r"account (?:is )?(?:temporarily )?unavailable|mailbox disabled",
            r"deactivated due|receiving disabled|extended inactivity",
            r"not (?:an )?active\b|never (?:been )?(?:logged|activated|used|opened)",
            r"\binactivity\b|no (?:\w+ )?activity|(?:should|must|needs? to|has to) log ?in\b",
            r"not logged in|has ?n[o']t (?:\w+ ){0,3}(?:entered|logged|signed|used)",
            r"<@> is (?:now |currently )?(?:disabled|suspended|deactivated)",
        ),
    ),
    languages.SHUT,
    # --- the person is somewhere else
    Rule(
        "moved",
        "RFC 5321 251/551 (user not local), RFC 3463 x.1.6, RFC 7293",
        (
            r"user not local|not our customer",
            r"(?:has|have) (?:been )?(?:moved|migrated|relocated|replaced by)",
            r"moved (?:to|permanently)|no longer on (?:this |the )?(?:server|system|host)",
            (
                r"(?:please )?(?:try|use|send to|update to) (?:the )?(?:new|following) (?:e-?mail "
                r")?address"
            ),
            r"(?:changed|new) (?:\w+ ){0,2}(?:e-?mail )?address (?:is|to)|address (?:has )?changed",
            r"アドレス.{0,10}変更|移転|转移到",
        ),
    ),
    # --- a name that could not be looked up today
    Rule(
        "expired",
        "resolver(3) TRY_AGAIN, as postfix, exim and sendmail report it",
        (
            r"host not found, try again|temporary failure in name resolution",
            r"not reachable within|host name lookup failure|name server (?:timeout|failure)",
            r"(?:dns|mx|host|domain) lookup (?:deferred|timed out|timeout|error)",
        ),
    ),
    # --- it is the mailbox, not the domain, that takes no mail
    Rule(
        "filtered",
        "RFC 3463 x.2.0; common",
        (
            (
                r"(?:user|recipient|mailbox|account|address|<@>)(?: [\w-]+){0,3} (?:cannot"
                r"|can't|unable to|does not|doesn't|not able to|is not|may not) (?:\w+ "
                r")?(?:receiv\w+|accept\w*) (?:\w+ )?(?:e-?mails?|mails?|messages?)\b"
            ),
        ),
    ),
    # --- domains that take no mail
    Rule(
        "host_unknown",
        "RFC 7505 4.1 (null MX), RFC 3463 x.1.10; exim, google, apple, qmail",
        (
            r"null ?mx",
            (
                r"(?:does not|doesn't|not|never) (?:\w+ )?(?:accept|receive)s? (?:any "
                r")?(?:e-?mail|mail)s?\b(?=\W*$|[.,;:()]| (?:at all|any ?more|here|according"
                r"|anyway|for (?:this|that|the|any)|under any|whatsoever|\())(?! for this "
                r"(?:user|recipient))"
            ),
            r"no smtp service|no (?:mx|mail exchanger?)s? (?:record|found|host|for|or)",
            r"no mail ?hosts?\b|couldn't find a mail exchanger|no mail(?:host| server| hub)",
            r"not (?:configured|set up) to (?:accept|receive) (?:e-?)?mail",
            r"mx (?:\w+ ){0,3}(?:lookup failure|invalid|points? to)|mail not accepted here",
            (
                r"(?:has no|without|not have)(?: an?y?)? (?:\w+ )?(?:mx\b|mail exchanger|mail "
                r"server|mailserver)"
            ),
            r"(?:invalid|bad|broken|illegal) mx\b|not used for (?:e-?)?mail",
            r"no match\w* (?:to|for|in) (?:name ?server|dns)",
        ),
    ),
    Rule(
        "host_unknown",
        "RFC 3463 x.1.2, RFC 5321 5.1; postfix smtp(8), sendmail EX_NOHOST, exim, dma, opensmtpd",
        (
            (
                r"(?:host|domain|site|system|name|node|server|machine)(?: or domain)?(?: "
                r"name)?(?: \S+){0,4}? (?:unknown|not found|does(?: not|n't) exist|do(?:es)? "
                r"not exist|not exist|couldn't be found|could not be found|not known|cannot be "
                r"(?:found|resolved)|non-?exist[ae]nt|not resolved|no longer exists?|has "
                r"expired|not (?:a )?(?:valid|registered))"
            ),
            r"nxdomain",
            (
                r"(?:unknown|no such|invalid|illegal|bad|unresolvable|non-?exist[ae]nt"
                r"|unrecogni[sz]ed) (?:\w+ ){0,2}(?:host|domain|destination system|site|name "
                r"server)"
            ),
            r"unrout[e]?able (?:mail )?(?:address|domain)",
            (
                r"(?:couldn't|could not|cannot|can't|unable to) (?:find|resolve|locate) (?:any "
                r"|the )?(?:\S+ ){0,2}(?:host|domain|mail server)"
            ),
            r"non-?exist[ae]nt hosts?|address resolution failed|domain is not reachable",
            r"nonexistentdomain",
            r"^(?:[\w-]{1,63}\.){1,6}[a-z]{2,12} (?:does not exist|not found|unknown)",
            r"no route to (?:domain|address)",
        ),
    ),
    languages.NO_HOST,
    # --- nobody of that name
    Rule(
        "user_unknown",
        "RFC 3463 x.1.1; postfix, sendmail EX_NOUSER, exim, microsoft, notes, yahoo, common",
        (
            rf"{WHO}(?:s|\(s\))?(?: \S+){{0,2}}? unknown\b",
            rf"unknown (?:or \w+ )?(?:\w+ )?{WHO}",
            (
                rf"(?:invalid|illegal|non-?exist[ae]nt|no such|bad|undefined|unrecogni[sz]ed"
                rf"|wrong|incorrect|undeliverable|unroutable|not a valid|no valid|no|inexistent"
                rf"|unavailable|unresolvable) (?:\w+ ){{0,2}}?{WHO}\b(?! (?:\w+ "
                rf"){{0,3}}(?:rejected|refused|full))"
            ),
            (
                rf"{WHO}(?:\(s\)|s)?[\s:]?(?:[^\s.]+ ){{0,8}}?(?:does not (?:seem to )?exist"
                rf"|doesn't exist|do(?:es)? not (?:currently )?exist|not exists?|no exist|not "
                rf"ok\b|not found|wasn't found|isn't found|not known|not (?:a )?valid|invalid\b"
                rf"|not recogni[sz]ed|not listed|couldn't be found|could not be found|cannot be "
                rf"found|can't be found|not be found|no longer exists?|non-?exist[ae]nt|not "
                rf"here|is bogus|not on this|not in (?:the |our )?(?:directory|database|address "
                rf"book|system|list)|(?:was |were |is |are )?undeliverable)"
            ),
        ),
    ),
    Rule(
        "user_unknown",
        "the same, said otherwise: qmail-local, exim, courier, microsoft, yahoo, google, aol",
        (
            r"no mailbox (?:here )?by that name|no such (?:\w+ )?(?:user|person|mailbox|here)",
            (
                r"no record of|problem with the e-?mail address|no such (?:\w+ )?(?:id|login"
                r"|entry|member|object|contact|e-?mail|mail account|inbox)\b"
            ),
            r"unable to (?:validate|verify) (?:\w+ ){0,2}(?:recipient|user|mailbox|address)",
            r"not found in (?:the |our )?(?:ldap|directory|database|user)",
            r"not have (?:an?y? )?(?:\w+ ){0,2}(?:e-?mail|mailbox|account|delivery point)\b",
            (
                r"(?:recipient|user|address) (?:address )?(?:verif|valid)\w*(?: \w+){0,3} "
                r"(?:fail|problem|error)"
            ),
            (
                r"fail\w* (?:recipient|user) (?:verif|valid)|validrcptto|mailbox unavailable or "
                r"(?:access|not)"
            ),
            (
                r"(?:cannot|can't|can not|don't|do not) (?:deliver|accept|handle) (?:e-?)?mail for "
                r"(?:<@>|th(?:is|at) (?:user|recipient|address|person|mailbox))"
            ),
            r"unknown local|(?:doesn't|does not) have (?:a|an) \S* ?(?:account|mailbox)",
            r"doesn't have .{0,30}account",
            (
                r"(?:not|isn't) (?:a|an|one of) (?:\w+ ){0,3}(?:user|subscriber|mailbox|recipient"
                r"|customer|account)"
            ),
            (
                r"(?:cannot|can't|couldn't|could not|unable to|failed to) (?:find|locate|look ?up"
                r"|identify|resolve|recogni[sz]e) (?:\S+ ){0,3}(?:user|recipient|mailbox|account"
                r"|address|alias|person)"
            ),
            r"recipientnotfound|recipnotfound|resolver\.adr\.|recipient name is not recogni[sz]ed",
            (
                r"(?:user|recipient|address|mailbox|account|person|employee|student) (?:\S+ "
                r"){0,4}no longer"
            ),
            (
                r"no longer (?:valid|in use|a valid|works?|employed|with (?:us|the)|available"
                r"|here|used|exists?|active)"
            ),
            r"not (?:a )?deliverable",
            r"(?:user|address|account) (?:has been |was )?(?:removed|deleted)",
            r"(?:deleted|removed) (?:user|mailbox|account)|does not like recipient\.?$",
            r"bad destination mailbox",
            r"(?:recipient(?: address)?|<@>) rejected[ .:]{0,3}(?:\(.{0,40}\))?$",
            r"^<@> ?: recipient: *$|^(?:<@> ?:? ?)?address rejected",
            r"no (?:users?|account|recipient|mailbox) (?:found|here|matching|exists?)",
            r"(?:mail ?box|user) (?:<@> )?(?:is )?not (?:available )?(?:here|present|defined)",
            r"(?:mail ?box|user) (?:<@> )?(?:is )?not local",
            r"(?:nobody|no one) (?:here )?(?:by|with) that|no such (?:mail )?drop",
            r"handle mail for that|not a member of domain",
            r"recipient (?:\S+ ){0,2}(?:cannot|could not|can't) be verified",
            r"not listed in (?:\w+ ){0,3}directory|not listed in public",
            (
                r"(?:not|isn't) (?:in|on|among|part of) (?:\w+ ){0,4}(?:users?|recipients?"
                r"|mailbox|mailboxes|address|addresses|accounts?)(?: (?:list|table|map|database"
                r"|directory))?\b"
            ),
            r"(?:not|n't) exists?(?: (?:that|this|such|a|the|any)){0,2} (?:user|account|mailbox)",
        ),
    ),
    languages.NOBODY,
    # --- the recipient, or what stands before the mailbox, does not want it
    Rule(
        "filtered",
        "docomo, au (domain-designated reception), microsoft RESOLVER.RST, aol, mail.ru, common",
        (
            (
                r"(?:refused|rejected|blocked|declined|denied|filtered|discarded|not wanted) "
                r"(?:by|due to|because|of|per)(?: of)? (?:\S+ ){0,2}?(?:the |a |user'?s? "
                r"|recipient'?s? |domain )?(?:user|recipient(?! (?:domain|server|host|system"
                r"|mail))|mailbox owner|owner|addressee|recipient'?s? (?:rule|filter|preference)"
                r"|user rule|domain filter|remote mail server|personal)"
            ),
            (
                r"(?:user|recipient|mailbox|addressee|account|owner)s?(?! (?:server|domain|host"
                r"|system|mail ))(?: \S+){0,4}? (?:refuse[sd]?|reject(?:s|ed)?|filter(?:s|ed)"
                r"|block(?:s|ed)?|not accept(?:ing|s|ed)?|does not (?:accept|want|wish)|doesn't "
                r"(?:accept|want)|only accept|protected|declined|decline|restricted|not allowed"
                r"|has blocked|denied|unwilling|not receiv\w+)"
            ),
            r"(?:due to|because of) (?:the )?(?:recipient|user)|message filtered|user rule",
            r"(?:banned|blocked|prohibited|restricted|protected) recipient",
            (
                r"(?:rejected|refused|blocked) by (?:the )?(?:destination|recipient|recipients'"
                r"|recipient's) (?:domain|server|host|system|organi[sz]ation)"
            ),
            r"blocked by (?:the )?(?:recipient|user|mailbox)|restricted (?:sms|recipient)",
            r"unable to (?:receive|accept) (?:e?-?mail|messages?|mail)",
            r"resolver\.rst\.(?:notauthorized|notallowed|restricted)",
            r"not (?:currently )?accepting (?:\w+ ){0,3}(?:mail|messages)|is not accepting",
            r"bounced address|\bblock-?rcpt",
        ),
    ),
    languages.UNWANTED,
)
