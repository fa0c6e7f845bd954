"""The demonstration's comparison of what friends have: what whoever watches does is left out where
it can be told apart, and nothing of the friends is.
"""

from collections import Counter
from dataclasses import dataclass, field, replace

import msgspec
import pytest

from adapters.line.simulator import Friend, Platform
from gateway.demo import summary
from gateway.demo.cast import Shop, cast
from gateway.demo.compare import Comparison, Held
from gateway.demo.phones import Truth
from gateway.demo.staff import Pushed
from gateway.domain.coupons.tickets import Ticket
from gateway.domain.line import friends as line
from gateway.usecases.coupons import PIN

_replace = msgspec.structs.replace

STRANGER = "U" + "0" * 32


@dataclass
class Demo:
    """A friend with a stamped coupon and a card, as both sides know them."""

    platform: Platform = field(default_factory=lambda: Platform(clock=lambda: 1_000_000))
    pushed: Pushed = field(default_factory=lambda: Pushed(frozenset(), 0, 0, 0))

    def __post_init__(self) -> None:
        self.shop: Shop = cast(self.platform)[0]
        self.friend: Friend = self.shop.account.friend("花子")
        self.friend.following = True
        self.friend.followed_at = 1
        whose = (self.shop.id, self.friend.user_id)
        self.truth = Truth(stamped={"A"}, won={"A"}, cards={whose: (1, 2)})
        self.held = Held([], [self.known(1)], [self.ticket("A")], {whose: (1, 2)}, Counter())

    def known(self, id_: int, user: str = "") -> line.Friend:
        """A friend as the store has them."""
        user = user or self.friend.user_id
        return line.Friend(self.shop.id, user, id_, self.shop.advertiser, 0, followed_at=1)

    def ticket(self, token: str, by: str = PIN, friend: int = 1) -> Ticket:
        """A ticket as the store has it, stamped by ``by`` if by anybody."""
        return Ticket(
            id=len(token) + ord(token[0]),
            coupon="sakura-first",
            advertiser=self.shop.advertiser,
            campaign="",
            channel=self.shop.id,
            friend=friend,
            token=token,
            state="used" if by else "issued",
            issued_at=0,
            expires_at=9,
            used_by=by,
        )

    def faults(self) -> list[str]:
        return Comparison(self.platform, [self.shop], self.truth, self.held, self.pushed).faults


@pytest.fixture
def demo() -> Demo:
    """Both sides, equal."""
    return Demo()


def test_both_sides_of_a_friend_are_equal(demo: Demo) -> None:
    """What the friend did is what the store holds."""
    assert demo.faults() == []


def test_a_friend_of_ones_own_is_left_out(demo: Demo) -> None:
    """With a coupon and a card: the platform knows nothing of them."""
    demo.held.friends.append(demo.known(2, STRANGER))
    demo.held.tickets.append(demo.ticket("B", by="", friend=2))
    demo.held.cards[demo.shop.id, STRANGER] = (1, 7)
    assert demo.faults() == []


def test_a_stamp_by_a_device_of_ones_own_is_left_out(demo: Demo) -> None:
    """Friends of the demonstration have theirs stamped by PIN."""
    demo.truth.won.add("C")
    demo.held.tickets.append(demo.ticket("C", by="token:7"))
    assert demo.faults() == []


def test_a_stamp_that_is_on_one_side_alone_is_told(demo: Demo) -> None:
    """By PIN without the friend, or of the friend without the store."""
    demo.truth.won |= {"C", "D"}
    demo.truth.stamped.add("D")
    demo.held.tickets.extend([demo.ticket("C"), demo.ticket("D", by="")])
    assert sorted(demo.faults()) == [
        "coupon C…: stamped on one side alone",
        "coupon D…: stamped on one side alone",
    ]


def test_a_friend_s_coupon_in_another_s_name_is_told(demo: Demo) -> None:
    """A friend of the platform's has to be the store's, and has what the store gave."""
    demo.held.friends[0] = _replace(demo.held.friends[0], user=STRANGER)
    assert any("state: friends say friend, the store None" in each for each in demo.faults())


def test_pushes_that_did_not_end_are_told(demo: Demo) -> None:
    """Those of the shops' own people."""
    demo.pushed = replace(demo.pushed, unfinished=1)
    assert demo.faults() == ["1 pushes did not come to an end"]


def test_a_difference_says_what_may_be_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    """In the last lines, and only where there is one."""
    summary.verdict([], ["x"])
    assert "What you did yourself" in capsys.readouterr().out
    summary.verdict([], [])
    assert capsys.readouterr().out == "equal, call by call, friend by friend and mail by mail\n"
