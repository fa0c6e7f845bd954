"""Lanes: whose mail servers an address belongs to, as far as they have habits of their own."""

from collections.abc import Mapping
from typing import Literal

Lane = Literal[
    "docomo",
    "au",
    "softbank",
    "ymobile",
    "rakuten",
    "yahoo_jp",
    "gmail",
    "outlook",
    "icloud",
    "other",
]
"""A group of domains that one set of servers takes mail for."""

_DOMAINS: Mapping[Lane, str] = {
    "docomo": "docomo.ne.jp mopera.net dwmail.jp",
    "au": "ezweb.ne.jp au.com uqmobile.jp ido.ne.jp sky.tkk.ne.jp sky.tkc.ne.jp sky.tu-ka.ne.jp",
    "softbank": (
        "softbank.ne.jp i.softbank.jp vodafone.ne.jp disney.ne.jp disneymobile.ne.jp jp-d.ne.jp "
        "jp-h.ne.jp jp-t.ne.jp jp-c.ne.jp jp-r.ne.jp jp-k.ne.jp jp-n.ne.jp jp-s.ne.jp jp-q.ne.jp"
    ),
    "ymobile": (
        "y-mobile.ne.jp ymobile.ne.jp ymobile1.ne.jp yahoo.ne.jp emnet.ne.jp emobile.ne.jp "
        "emobile-s.ne.jp willcom.com wcm.ne.jp pdx.ne.jp"
    ),
    "rakuten": "rakuten.jp rakumail.jp",
    "yahoo_jp": "yahoo.co.jp ymail.ne.jp",
    "gmail": "gmail.com googlemail.com",
    "outlook": "outlook.com outlook.jp hotmail.com hotmail.co.jp live.jp live.com msn.com",
    "icloud": "icloud.com me.com mac.com",
}
_LANE = {domain: lane for lane, domains in _DOMAINS.items() for domain in domains.split()}


def lane_of(address: str) -> Lane:
    """The lane of a kept address, or of a domain. A domain below one of a carrier's is that
    carrier's, too (``b.vodafone.ne.jp``, ``dk.pdx.ne.jp``).
    """
    domain = address.rpartition("@")[2].lower()
    while domain:
        if domain in _LANE:
            return _LANE[domain]
        domain = domain.partition(".")[2]
    return "other"
