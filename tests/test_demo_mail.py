"""The demonstration's comparison of mails: whatever differs between the sink, its people and the
store is told, masked, and nothing else is.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Literal

import msgspec
import pytest

from gateway.demo.mail.cast import HABITS, mail_cast, tempers_of, zone_of
from gateway.demo.mail.compare import MailComparison
from gateway.domain.mail.addresses import normalised
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.importing.csvfile import examined
from gateway.domain.mail.recipients import Source
from gateway.domain.mail.tokens import Named, hash_of, keys_of, verp
from gateway.main.mail.world import Deed, HeldMail, Letter
from gateway.ports.mail.campaigns import Bounce, Send

KEYS = keys_of(b"k" * 32)
LIST = "sakura-news"
CAMPAIGN = 7
FAR = 4_000_000_000_000_000

_replace = msgspec.structs.replace

ANNA, BEN, CARA, DORA, EMIL, FINN = (
    f"{name}@example.com" for name in ("anna", "ben", "cara", "dora", "emil", "finn")
)
PEOPLE = (ANNA, BEN, CARA, DORA, EMIL, FINN)


def tag(recipient: int, campaign: int = CAMPAIGN) -> str:
    return verp(Named(campaign, recipient), "bounce.example.jp", FAR, KEYS.verp)


def letter(recipient: int, address: str = "", sender: str = "") -> Letter:
    address = address or PEOPLE[recipient]
    return Letter(address, sender or tag(recipient), f"<{recipient}>", 0, 1, b"")


def deed(what: str, recipient: int, status: int) -> Deed:
    return Deed(what, PEOPLE[recipient], f"<{recipient}>", tag(recipient), status=status)  # type: ignore[arg-type]  # one of its kinds


def send(recipient: int, state: str, class_: str = "") -> Send:
    return Send(CAMPAIGN, recipient, "other", state, None, 1, 1, 0, 0, 0, class_, "")  # type: ignore[arg-type]  # likewise


def bounce(recipient: int, source: Literal["smtp", "report", "text", "complaint"]) -> Bounce:
    class_ = "user_unknown"
    return Bounce(recipient, "sakura", LIST, CAMPAIGN, recipient, 0, source, class_, "", 0, "", "")


def stopped(recipient: int, source: Source) -> tuple[str, bytes, Source]:
    return LIST, hash_of(PEOPLE[recipient], KEYS), source


@dataclass
class Sides:
    """Both sides: Anna clicks, Ben bounces, Cara stops, Dora complains, Emil is refused, and of
    Finn's mail nobody knows whether it arrived.
    """

    letters: list[Letter] = field(default_factory=lambda: [letter(n) for n in (0, 1, 2, 3, 5)])
    asked: Counter[str] = field(default_factory=lambda: Counter(PEOPLE))
    deeds: list[Deed] = field(
        default_factory=lambda: [
            deed("click", 0, 302),
            deed("bounce", 1, 250),
            deed("stop", 2, 200),
            deed("complain", 3, 250),
        ]
    )
    held: HeldMail = field(
        default_factory=lambda: HeldMail(
            [Campaign(CAMPAIGN, "sakura", LIST, "秋", "", "{}", 0, "staff", 0)],
            [
                (send(0, "sent"), ANNA),
                (send(1, "sent", "user_unknown"), BEN),
                (send(2, "sent"), CARA),
                (send(3, "sent"), DORA),
                (send(4, "failed", "user_unknown"), EMIL),
                (send(5, "held"), FINN),
            ],
            [bounce(1, "report"), bounce(3, "complaint"), bounce(4, "smtp")],
            {
                CAMPAIGN: {
                    "sent": 4,
                    "failed": 1,
                    "held": 1,
                    "failed:user_unknown": 1,
                    "bounced:user_unknown": 1,
                    "complaint": 1,
                    "stop": 1,
                    "click": 1,
                    "clickers": 1,
                }
            },
            frozenset([stopped(2, "one_click"), stopped(3, "complaint")]),
            KEYS,
        )
    )
    before: dict[int, set[str]] = field(default_factory=dict)

    def compared(self) -> MailComparison:
        return MailComparison(self.letters, self.asked, self.deeds, self.held, self.before)

    def faults(self) -> str:
        return "\n".join(self.compared().faults)

    def sends(self, recipient: int, state: str) -> None:
        """Let the store say something else of a mail."""
        sends = [
            (_replace(each, state=state) if each.recipient == recipient else each, address)
            for each, address in self.held.sends
        ]
        self.held = replace(self.held, sends=sends)

    def figure(self, name: str, amount: int) -> None:
        """Let the store count something else."""
        figures = {CAMPAIGN: {**self.held.figures[CAMPAIGN], name: amount}}
        self.held = replace(self.held, figures=figures)


@pytest.fixture
def sides() -> Sides:
    """Both sides, equal."""
    return Sides()


def test_equal_sides_have_no_fault(sides: Sides) -> None:
    """Each thing that happened is counted on both sides, and what nobody can know is shown."""
    compared = sides.compared()
    assert compared.faults == []
    assert {name: did for name, did, _ in compared.figures} == {
        "mails": 5,
        "refused": 1,
        "bounced": 1,
        "delivered": 4,
        "complaints": 1,
        "stops": 1,
        "clicks": 1,
        "opens": 0,
    }
    assert compared.maybe == ["mail to f***@e***.com: it arrived"]
    assert compared.line == "5 mails of 1 campaigns, compared address by address (5)"


def test_nobody_is_shown_whole(sides: Sides) -> None:
    """Faults name people masked."""
    sides.letters.clear()
    said = "\n".join([*sides.compared().faults, *sides.compared().maybe])
    assert "a***@e***.com" in said
    assert not [each for each in PEOPLE if each in said]


def test_a_mail_that_came_twice_is_told(sides: Sides) -> None:
    """The sink got it more often than the store says."""
    sides.letters.append(letter(0))
    sides.asked[ANNA] += 1
    assert "a***@e***.com: the store says sent, the sink got it 2 times" in sides.faults()


def test_a_mail_that_never_came_is_told(sides: Sides) -> None:
    """The store says sent, and the sink knows nothing of it."""
    del sides.letters[0]
    assert "a***@e***.com: the store says sent, the sink got it 0 times" in sides.faults()


def test_a_mail_that_was_refused_and_came_is_told(sides: Sides) -> None:
    """The store says failed, and the sink has it."""
    sides.letters.append(letter(4))
    assert "e***@e***.com: the store says failed, the sink got it 1 times" in sides.faults()


def test_a_mail_in_doubt_came_once_at_most(sides: Sides) -> None:
    """Twice is no doubt, but a double."""
    sides.letters.append(letter(5))
    sides.asked[FINN] += 1
    assert "f***@e***.com: the store says held, the sink got it 2 times" in sides.faults()


def test_a_mail_without_a_tag_of_ours_is_told(sides: Sides) -> None:
    """Whoever sent it, the store cannot know of it."""
    sides.letters.append(letter(0, sender="b+aaaa.bbbb@bounce.example.jp"))
    assert "a***@e***.com: the sink got a mail without a tag of ours" in sides.faults()


def test_a_mail_to_somebody_else_is_told(sides: Sides) -> None:
    """The tag is one person's, and the mailbox another's."""
    sides.letters[0] = letter(0, BEN)
    assert "b***@e***.com: the sink got a mail that was for a***@e***.com" in sides.faults()


def test_a_mail_that_the_store_does_not_know_is_told(sides: Sides) -> None:
    """A tag of ours that names no mail."""
    sides.letters.append(letter(0, sender=tag(99)))
    assert "a mail that the store knows nothing of" in sides.faults()


@pytest.mark.parametrize("state", ["queued", "attempting", "deferred"])
def test_a_mail_that_is_not_at_an_end_is_told(sides: Sides, state: str) -> None:
    """All was to be over."""
    sides.sends(0, state)
    assert f"a***@e***.com: the mail is still {state}" in sides.faults()


def test_a_mail_to_somebody_who_had_stopped_is_told(sides: Sides) -> None:
    """They had stopped before the campaign was made."""
    sides.before[CAMPAIGN] = {ANNA}
    assert sides.faults() == "a***@e***.com: got a mail after the stop"
    sides.before[CAMPAIGN] = {EMIL}
    assert sides.faults() == ""


def test_a_stop_that_is_not_kept_is_told(sides: Sides) -> None:
    """It was answered, and the store does not have it."""
    sides.held = replace(sides.held, stopped=frozenset([stopped(3, "complaint")]))
    assert "c***@e***.com: stop: on their side alone" in sides.faults()


def test_a_stop_that_nobody_pressed_is_told(sides: Sides) -> None:
    """The store has it, and nobody did it."""
    sides.held = replace(sides.held, stopped=sides.held.stopped | {stopped(0, "one_click")})
    assert "a***@e***.com: stop: on the store alone" in sides.faults()


def test_a_report_that_is_not_in_the_log_is_told(sides: Sides) -> None:
    """It was taken, and is lost."""
    sides.held = replace(sides.held, bounces=[bounce(3, "complaint"), bounce(4, "smtp")])
    assert "b***@e***.com: bounce: reported 1 times, logged 0 times" in sides.faults()


def test_a_deed_that_was_not_answered_well_is_told(sides: Sides) -> None:
    """A stop that got an error, and a report that found nobody."""
    sides.deeds[2] = deed("stop", 2, 500)
    assert "c***@e***.com: stop: answered 500" in sides.faults()


@pytest.mark.parametrize("name", ["sent", "stop", "click", "complaint", "bounced:mailbox_full"])
def test_a_figure_that_differs_is_told(sides: Sides, name: str) -> None:
    """Figures are kept beside the rows, and may differ where all else is right."""
    sides.figure(name, 40)
    assert "by the store" in sides.faults()


# --- the cast ---


def test_the_files_of_the_cast_are_what_they_say() -> None:
    """One is of UTF-8 and states each consent, the other of Shift_JIS; everybody has an address
    that the store keeps as it is.
    """
    sakura, minato = mail_cast("2026-11-01")
    layouts = [examined([shop.file], ["name"]) for shop in (sakura, minato)]
    assert [layout.encoding for layout in layouts] == ["utf-8", "cp932"]
    assert [layout.states_consent for layout in layouts] == [True, False]
    assert layouts[0].rows == len(sakura.readers) + 2
    assert layouts[1].rows == len(minato.readers)
    addresses = [reader.address for shop in (sakura, minato) for reader in shop.readers]
    assert len(set(addresses)) == len(addresses)
    assert addresses == [normalised(each) for each in addresses]


def test_some_of_the_cast_bounce_complain_stop_and_click() -> None:
    """Of each list; and the server refuses some, at RCPT and after the message."""
    for shop in mail_cast("2026-11-01"):
        tempers = tempers_of([shop]).values()
        assert {each.bounces for each in tempers} >= {"dsn", "full", "docomo", "kddi"}
        for does in ("complains", "stops", "clicks"):
            assert any(getattr(each, does) for each in tempers), does
        for rule in HABITS.rules:
            prefix = rule.recipient.rstrip("*")
            assert any(reader.address.startswith(prefix) for reader in shop.readers), prefix


def test_the_zone_of_the_cast_has_a_key_for_each_list() -> None:
    """As the sample names its selector."""
    shops = mail_cast("2026-11-01")
    zone = zone_of(shops, {shop.id: f"v=DKIM1; p={shop.id}" for shop in shops})
    for shop in shops:
        assert zone[f"gw._domainkey.{shop.domain}", "TXT"] == [f"v=DKIM1; p={shop.id}"]
