"""The demonstration's comparison of messages: what it takes for equal, and what it does not."""

import json
from typing import Any

import pytest

from adapters.line.simulator import Accepted, Friend, Platform, Received
from gateway.demo.cast import Shop, cast
from gateway.demo.sends import Messages, compare
from gateway.domain.line.sending import retry_key
from gateway.main import Send

HELLO = [{"type": "text", "text": "こんにちは"}]
AGAIN = [{"type": "text", "text": "またどうぞ"}]


class Both:
    """A shop with one friend, on both sides: what the platform did, and what the store says."""

    def __init__(self) -> None:
        self.platform = Platform(clock=lambda: self.now)
        self.now = 1_000_000
        self.shops: list[Shop] = cast(self.platform)
        self.sends: list[Send] = []
        self.friend: Friend = self.shop.account.friend("花子")
        self.friend.following = True
        self.shop.account.friendships.append((0, self.friend.user_id, True))

    @property
    def shop(self) -> Shop:
        return self.shops[0]

    def accept(self, messages: list[Any], **by: str) -> str:
        """The platform takes a request, by ``reply_token`` or ``retry_key``."""
        self.now += 1
        request, user = f"request-{self.now}", self.friend.user_id
        reached = self.friend.following
        self.platform.accepted.append(
            Accepted(
                channel=self.shop.account.id,
                kind="reply" if "reply_token" in by else "push",
                request_id=request,
                retry_key=by.get("retry_key"),
                at=self.now,
                to=(user,),
                delivered=int(reached),
                messages=messages,
                sent=(),
                reply_token=by.get("reply_token"),
            )
        )
        if reached:
            inbox = self.platform.received[self.shop.account.id, user]
            inbox += [Received(each, "reply", self.now, request, None, "") for each in messages]
        return request

    def say(
        self,
        messages: list[Any],
        state: str,
        request: str = "",
        origin: str = "rule:1",
        **payload: str,
    ) -> None:
        """The store tells of a reply with ``token``, or of a push ``to`` the friend."""
        whom = {} if "to" in payload else {"user": self.friend.user_id}
        id_ = len(self.sends) + 1
        sent = {"channel": self.shop.id, "messages": messages, **whom, **payload}
        self.sends.append(
            Send(
                id=id_,
                advertiser=self.shop.advertiser,
                kind="line.push" if "to" in payload else "line.reply",
                key=f"key-{id_}",
                payload=json.dumps(sent),
                state=state,
                due_at=0,
                stream=f"line/{self.shop.id}/{self.friend.user_id}",
                origin=origin,
                last_error=None,
                ended_at=id_,
                result=json.dumps({"request": request}) if request else "",
            )
        )

    def compared(self) -> Messages:
        return compare(self.platform, self.shops, self.sends, ["push:1"])


@pytest.fixture
def both() -> Both:
    """Both sides, with nothing said yet."""
    return Both()


def test_what_arrived_as_the_store_says_is_equal(both: Both) -> None:
    """Two replies, in order."""
    both.say(HELLO, "done", both.accept(HELLO, reply_token="a"), token="a")
    both.say(AGAIN, "done", both.accept(AGAIN, reply_token="b"), token="b")
    compared = both.compared()
    assert (compared.faults, compared.maybe) == ([], [])
    assert compared.received == compared.sent == {both.shop.id: 2}


def test_what_nobody_knows_is_a_maybe(both: Both) -> None:
    """A reply or push whose answer was lost is no fault, whether it arrived or not; the platform
    tells by the token or the key.
    """
    both.accept(HELLO, reply_token="a")
    both.say(HELLO, "unknown", token="a")
    both.say(AGAIN, "unknown", token="b")
    both.accept(AGAIN, retry_key=retry_key("key-3"))
    both.say(AGAIN, "unknown", to=both.friend.user_id)
    compared = both.compared()
    assert compared.faults == []
    assert [said.partition(": ")[2] for said in compared.maybe] == [
        "it arrived",
        "it did not arrive",
        "it arrived",
    ]


def test_what_goes_to_somebody_who_blocked_is_in_vain(both: Both) -> None:
    """The platform takes it and delivers nothing; nobody misses it."""
    both.friend.following = False
    both.shop.account.friendships.append((both.now, both.friend.user_id, False))
    both.say(HELLO, "done", both.accept(HELLO, reply_token="a"), token="a")
    compared = both.compared()
    assert compared.faults == []
    assert compared.undelivered == compared.in_vain == 1
    assert compared.received.total() == compared.sent.total() == 0


def test_what_the_platform_never_got_is_told(both: Both) -> None:
    """The store says sent, or still means to send."""
    both.say(HELLO, "done", "nothing-of-ours", token="a")
    both.say(AGAIN, "waiting", token="b")
    told = both.compared().faults
    assert "the platform did not get it" in told[0]
    assert "still waiting" in told[1]


def test_what_the_store_does_not_know_is_told(both: Both) -> None:
    """A request of nobody; and one that the store takes for dead."""
    both.accept(HELLO, reply_token="a")
    both.accept(AGAIN, reply_token="b")
    both.say(AGAIN, "dead", token="b")
    told = both.compared().faults
    assert any("the store says dead" in fault for fault in told)
    assert any("knows nothing of" in fault for fault in told)
    assert any("2 messages received, 1 sent" in fault for fault in told)


def test_another_text_or_order_is_told(both: Both) -> None:
    """Both requests are there, and not as the store has them."""
    first = both.accept(HELLO, reply_token="a")
    second = both.accept(AGAIN, reply_token="b")
    both.say(AGAIN, "done", second, token="b")
    both.say(HELLO, "done", first, token="a")
    assert ["before the one before it" in fault for fault in both.compared().faults] == [True]
    both.sends.clear()
    both.say(AGAIN, "done", first, token="a")
    both.say(AGAIN, "done", second, token="b")
    told = both.compared().faults
    assert "other messages than the store says" in told[0]
    assert "they differ at message 1" in told[1]


def test_pushes_of_others_than_the_shops_are_messages_alone(both: Both) -> None:
    """Whoever watches may push, too: that is compared message by message, and counts as no push."""
    for number, origin in enumerate(("push:1", "push:2")):
        request = both.accept(HELLO, retry_key=str(number))
        both.say(HELLO, "done", request, origin, to=both.friend.user_id)
    compared = both.compared()
    assert (compared.faults, compared.pushed) == ([], 1)
    assert compared.received.total() == compared.sent.total() == 2
