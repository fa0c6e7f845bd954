"""Whose mail a list's mail is, as the domains themselves say it: DKIM, DMARC and what agrees.

What is looked at in the DNS is judged here; SPF, which asks the DNS as it goes, is judged in
:mod:`adapters.smtp.checking.spf`.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

State = Literal["passed", "failed", "advice", "unknown"]
"""``advice``: mail goes, but some will not take it; ``unknown``: it could not be looked at now."""

MARKS: Mapping[State, str] = {"passed": "✓", "failed": "✗", "advice": "–", "unknown": "?"}

Subject = Literal["spf", "dkim", "alignment", "dmarc", "ptr", "bounces", "from", "display", "relay"]

NEEDED: frozenset[Subject] = frozenset({"spf", "dkim", "alignment"})
"""Without these no campaign of a list is begun."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    subject: Subject
    state: State
    found: str
    """What was seen."""
    remedy: str = ""
    """What to do, unless it is all right."""

    @property
    def line(self) -> str:
        """It for people."""
        remedy = f"; {self.remedy}" if self.remedy and self.state != "passed" else ""
        return f"{MARKS[self.state]} {self.subject}: {self.found}{remedy}"


def is_aligned(findings: Sequence[Finding]) -> bool:
    """Whether From, DKIM and SPF agree on whose mail it is, all of it seen."""
    passed = {finding.subject for finding in findings if finding.state == "passed"}
    return passed >= NEEDED


# --- which domains belong together ---

_CATEGORIES = frozenset(
    {"ac", "ad", "co", "com", "ed", "edu", "go", "gov", "gr", "lg", "ne", "net", "or", "org"}
)


def is_public(domain: str) -> bool:
    """Whether anybody registers domains below this one: a top level, or ``co.jp`` and its like.

    A rule of thumb in the place of the Public Suffix List, for what firms have. It knows nothing of
    Japan's domains of cities; a list with one of those names From and DKIM alike.
    """
    labels = domain.split(".")
    is_category = len(labels) == 2 and len(labels[1]) == 2 and labels[0] in _CATEGORIES
    return len(labels) == 1 or is_category


def organization(domain: str) -> str:
    """The domain that was registered, of a domain or one below it (RFC 7489, 3.2)."""
    labels = domain.lower().rstrip(".").split(".")
    for count in range(1, len(labels)):
        if not is_public(".".join(labels[-count:])):
            return ".".join(labels[-count:])
    return ".".join(labels)


def is_same(domain: str, other: str, *, strict: bool) -> bool:
    """Whether two domains are aligned (RFC 7489, 3.1)."""
    one, two = domain.lower().rstrip("."), other.lower().rstrip(".")
    return one == two or (not strict and organization(one) == organization(two))


# --- records ---

_PREFIX = 24
"""Bytes that stand before an RSA key in SubjectPublicKeyInfo (RFC 5280, 4.1; RFC 8017, A.1.1)."""

_TAG = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*=\s*([^;]*?)\s*")


def tags_of(record: str) -> dict[str, str]:
    """The tags of a record (RFC 6376, 3.2); empty where it is no list of tags."""
    tags: dict[str, str] = {}
    for part in record.strip().rstrip(";").split(";"):
        found = _TAG.fullmatch(part)
        if found is None or found[1].lower() in tags:
            return {}
        tags[found[1].lower()] = found[2]
    return tags


def dkim_finding(name: str, records: Sequence[str], public_key: bytes) -> Finding:
    """What the key record of a selector says (RFC 6376, 3.6.1).

    Args:
        name: where it was looked for.
        records: the TXT records found there.
        public_key: our key, as SubjectPublicKeyInfo (DER); some records hold the key within alone.
    """
    wanted = base64.b64encode(public_key).decode()
    publish = f'publish TXT at {name}: "v=DKIM1; k=rsa; p={wanted}"'
    if not records:
        return Finding("dkim", "failed", f"no record at {name}", publish)
    if len(records) > 1:
        remedy = "leave one of them"
        return Finding("dkim", "failed", f"{len(records)} records at {name}", remedy)
    tags = tags_of(records[0])
    version, hashes = tags.get("v", "DKIM1"), tags.get("h", "sha256").lower().replace(" ", "")
    if version != "DKIM1" or "p" not in tags or tags.get("k", "rsa").lower() != "rsa":
        return Finding("dkim", "failed", f"no record of an RSA key at {name}", publish)
    if not tags["p"]:
        return Finding("dkim", "failed", f"the key at {name} was revoked", publish)
    if "sha256" not in hashes.split(":"):
        return Finding("dkim", "failed", f"the record at {name} forbids SHA-256", publish)
    try:
        given = base64.b64decode("".join(tags["p"].split()), validate=True)
    except (binascii.Error, ValueError):
        return Finding("dkim", "failed", f"the key at {name} is not base64", publish)
    if given not in (public_key, public_key[_PREFIX:]):
        return Finding("dkim", "failed", f"the key at {name} is not this list's", publish)
    if "y" in tags.get("t", "").lower().split(":"):
        remedy = "take t=y out: receivers may ignore a signature that is being tested"
        return Finding("dkim", "failed", f"the record at {name} says it is a test", remedy)
    return Finding("dkim", "passed", f"the key at {name} is this list's")


class Policy(msgspec.Struct, frozen=True):
    """A DMARC record (RFC 7489, 6.3)."""

    at: str
    """Where it stands."""
    policy: str
    strict_dkim: bool = False
    strict_spf: bool = False


def policy_of(at: str, records: Sequence[str], *, is_parent: bool = False) -> Policy | None:
    """The policy that TXT records at a domain state; more than one is none (RFC 7489, 6.6.3)."""
    found = [tags for tags in map(tags_of, records) if tags.get("v", "").upper() == "DMARC1"]
    if len(found) != 1:
        return None
    tags = found[0]
    policy = (tags.get("sp") if is_parent else None) or tags.get("p", "")
    if policy.lower() not in ("none", "quarantine", "reject"):
        return None
    strict = {name: tags.get(name, "r").lower() == "s" for name in ("adkim", "aspf")}
    return Policy(at, policy.lower(), strict["adkim"], strict["aspf"])


def alignment_finding(sender: str, signer: str, bounces: str, policy: Policy | None) -> Finding:
    """Whether a mail's From is vouched for by the domain that signs it.

    DMARC is content with SPF alone; but SPF breaks whenever a mail is forwarded, so that is not
    enough here.

    Args:
        sender: the domain of From.
        signer: the domain that signs (d=); empty: none does.
        bounces: the domain of the envelope's sender.
        policy: the DMARC policy of From's domain.
    """
    strict = policy.strict_dkim if policy else False
    way = "strictly" if strict else "relaxed"
    remedy = f"sign with dkim.domain = {sender!r}" + (
        "" if strict else " or a domain of the same owner"
    )
    if not signer:
        return Finding("alignment", "failed", f"nobody signs for {sender}", remedy)
    if not is_same(sender, signer, strict=strict):
        found = f"From is of {sender}, the signature of {signer}"
        return Finding("alignment", "failed", found, remedy)
    too = is_same(sender, bounces, strict=policy.strict_spf if policy else False)
    spf = "SPF is aligned, too" if too else f"SPF vouches for {bounces} alone, which is enough"
    return Finding("alignment", "passed", f"From and the signature are of {signer}, {way}; {spf}")


def dmarc_finding(sender: str, policy: Policy | None) -> Finding:
    """Whether From's domain states a policy, as Gmail and Yahoo want of who sends much."""
    if policy is None:
        remedy = f'publish TXT at _dmarc.{organization(sender)}: "v=DMARC1; p=none"'
        return Finding("dmarc", "advice", f"no policy for {sender}", remedy)
    return Finding("dmarc", "passed", f"p={policy.policy} at {policy.at}")
