"""What an event of a channel means: who is a friend, who answers, and what."""

import msgspec
import pytest

from gateway.domain.line.channel import Forward, Rule, Uniform
from gateway.domain.line.conversations import answered
from gateway.domain.line.decide import Decision, decide
from gateway.domain.line.events import Event
from gateway.domain.line.friends import Friend
from gateway.domain.values import SECOND
from tests.support.line import NOON, SHOP, USER, event, said, text

NEW = Friend(SHOP.id, USER, 1, "acme", NOON)
_replace = msgspec.structs.replace


def after(*events: Event, friend: Friend = NEW) -> Decision:
    """What the last of ``events`` gets."""
    decision = Decision(friend)
    for each in events:
        decision = decide(SHOP, decision.friend, each)
    return decision


def test_a_new_friend_is_greeted() -> None:
    """A follow makes a friend, who gets the greeting and is asked for by name."""
    decision = after(event("follow", 1))
    assert decision.friend.state == "friend"
    assert (decision.messages, decision.origin) == (SHOP.greeting, "greeting")
    assert decision.profile


def test_who_comes_back_after_a_block_gets_a_greeting_of_their_own() -> None:
    """Where the shop has one; otherwise the same as new friends."""
    back = event("follow", 3, unblocked=True)
    assert after(event("follow", 1), event("unfollow", 2), back).messages == SHOP.greeting
    channel = _replace(SHOP, greeting_again=(text("おかえりなさい"),))
    assert decide(channel, NEW, back).messages == channel.greeting_again


def test_a_late_follow_does_not_undo_an_unfollow() -> None:
    """The platform's instants count, not the order of arrival; and nobody is there to greet."""
    decision = after(event("unfollow", 2), event("follow", 1))
    assert decision.friend.state == "blocked"
    assert decision.messages == ()


def test_an_unfollow_takes_replies_back_that_were_not_sent() -> None:
    """Whatever was said before it."""
    assert after(event("follow", 1), event("unfollow", 5)).is_end


def test_the_first_rule_that_matches_answers() -> None:
    """And tells by its place which it was."""
    decision = after(said("クーポン", 1))
    assert (decision.messages, decision.origin) == (SHOP.reply[0].messages, "rule:1")


def test_what_no_rule_knows_gets_the_uniform_reply_and_waits_for_people() -> None:
    """It counts as unread."""
    decision = after(said("明日空いてますか", 1))
    assert (decision.origin, decision.friend.unread) == ("uniform", 1)


def test_a_button_is_answered_by_its_data() -> None:
    """And tags the friend."""
    decision = after(event("postback", 1, data="menu"))
    assert (decision.messages, decision.tags) == (SHOP.reply[3].messages, ("menu",))
    assert after(event("postback", 1, data="other")).messages == ()


def test_rules_are_silent_while_people_talk() -> None:
    """From the hand-over to the word that ends it; what is said meanwhile is unread."""
    decision = after(said("人と話す", 1), said("クーポン", 2))
    assert (decision.messages, decision.friend.unread) == ((), 2)
    assert after(said("人と話す", 1), said("終了", 2)).messages == SHOP.reply[2].messages
    assert after(said("人と話す", 1), said("終了", 2), said("クーポン", 3)).origin == "rule:1"


def test_a_silence_gives_the_conversation_back() -> None:
    """By itself, after the channel's minutes."""
    called, minutes = said("人と話す", 0), SHOP.staff_minutes * 60
    assert after(called, said("クーポン", minutes - 1)).messages == ()
    assert after(called, said("クーポン", minutes)).origin == "rule:1"


def test_after_a_silence_the_rules_are_back_for_good() -> None:
    """Not for one message alone: until people are called again, or write."""
    minutes = SHOP.staff_minutes * 60
    talk = (said("人と話す", 0), said("クーポン", minutes), said("クーポン", minutes + 1))
    assert after(*talk).origin == "rule:1"
    assert after(*talk, said("予約", minutes + 2)).origin == "uniform"
    assert after(*talk, said("人と話す", minutes + 2), said("予約", minutes + 3)).messages == ()
    back = answered(after(*talk).friend, "token:1", SHOP.staff_minutes, NOON + minutes * SECOND * 2)
    assert after(said("クーポン", 2 * minutes + 1), friend=back).messages == ()


def test_whoever_speaks_prolongs_the_time_of_people() -> None:
    """The friend as well as staff; a silence is one of both."""
    minutes = SHOP.staff_minutes * 60
    talk = (said("人と話す", 0), said("予約", minutes - 1))
    assert after(*talk, said("クーポン", 2 * minutes - 2)).messages == ()
    friend = answered(after(*talk).friend, "token:1", SHOP.staff_minutes, NOON + minutes * SECOND)
    assert after(said("クーポン", 2 * minutes - 1), friend=friend).messages == ()
    assert after(said("クーポン", 2 * minutes), friend=friend).origin == "rule:1"


def test_a_late_word_shows_that_there_was_no_silence() -> None:
    """What the rules answered meanwhile is decided anew, up to the silence that there was."""
    minutes = SHOP.staff_minutes * 60
    decision = after(
        said("人と話す", 0), said("クーポン", minutes + 60), said("予約", minutes - 60)
    )
    assert decision.messages == ()
    assert decision.anew is not None
    low, high = decision.anew
    assert low <= NOON + (minutes + 60) * SECOND < high == NOON + (2 * minutes + 60) * SECOND


@pytest.mark.parametrize("mode", ["active", "standby"])
@pytest.mark.parametrize("kind", ["message", "postback"])
def test_a_friend_from_before_is_one_once_they_do_something(kind: str, mode: str) -> None:
    """Who has blocked the account cannot; their name is asked for once."""
    decision = after(event(kind, 1, mode=mode, text="?", data="?"))
    assert (decision.friend.state, decision.profile) == ("friend", True)
    assert not after(event(kind, 1), event(kind, 2)).profile
    assert not after(event("follow", 1), event(kind, 2)).profile


def test_the_later_of_a_word_and_an_unfollow_counts() -> None:
    """In whatever order they come; and a follow is greeted though its friend was heard before."""
    word, gone, back = said("?", 2), event("unfollow", 3), said("?", 4)
    assert after(word, gone).friend.state == after(gone, word).friend.state == "blocked"
    assert after(word, gone, back).friend.state == after(back, gone).friend.state == "friend"
    assert after(word, event("follow", 1)).origin == "greeting"


def test_a_group_is_no_friend_by_what_is_said_in_it() -> None:
    """Whether we are in it, joins and leaves tell; and nobody's name is asked for."""
    group = _replace(NEW, user="C1", is_group=True, unfollowed_at=NOON)
    decision = decide(SHOP, group, said("?", 1, source="group", place="C1", user=""))
    assert (decision.friend.state, decision.profile) == ("left", False)


@pytest.mark.parametrize(
    "story",
    [
        (said("クーポン", 5), said("人と話す", 1)),
        (said("人と話す", 1), said("クーポン", 5), said("終了", 3)),
    ],
)
def test_a_late_hand_over_and_a_late_end_have_what_came_after_them_decided_anew(
    story: tuple[Event, ...],
) -> None:
    """It was said after them, was here before them, and is whose it seemed not to be."""
    anew = after(*story).anew
    assert anew is not None
    assert anew[0] <= NOON + 5 * SECOND < anew[1]


@pytest.mark.parametrize("kind", ["message", "follow", "postback"])
def test_in_standby_nothing_is_answered(kind: str) -> None:
    """Another module answers then; the event counts all the same."""
    told = event(kind, 1, mode="standby", text="クーポン", data="menu")
    assert after(told).messages == ()


def test_a_group_is_answered_only_where_the_channel_allows_it() -> None:
    """Keywords in a group of strangers are not always meant for the shop."""
    group = _replace(NEW, user="C1", is_group=True)
    told = said("クーポン", 1, source="group", place="C1", user="")
    assert decide(SHOP, group, told).messages == ()
    assert decide(_replace(SHOP, groups=True), group, told).messages == SHOP.reply[0].messages


def test_the_other_tool_answers_where_it_is_named() -> None:
    """One answerer a channel."""
    other = Forward("https://tool.example.jp/", "山田", NOON, answers=True)
    assert decide(_replace(SHOP, forward=other), NEW, said("クーポン", 1)).messages == ()
    both = _replace(SHOP, forward=_replace(other, answers=False))
    assert decide(both, NEW, said("クーポン", 1)).messages == SHOP.reply[0].messages


def test_outside_of_always_is_never() -> None:
    """It is no table of hours, and its opposite no hours at all."""
    channel = _replace(SHOP, uniform=(Uniform((text("?"),), hours="!always"),))
    assert decide(channel, NEW, said("おはよう", 1)).messages == ()


def test_rules_and_uniform_replies_keep_hours() -> None:
    """Noon of a holiday is outside of staff hours."""
    channel = _replace(
        SHOP,
        reply=(Rule("電話", messages=(text("どうぞ"),), hours="staff"),),
        uniform=(
            Uniform((text("すぐに返事します"),), hours="staff"),
            Uniform((text("明日返事します"),), hours="!staff"),
        ),
    )
    assert decide(channel, NEW, said("電話", 1)).messages == (text("明日返事します"),)
    monday = 6 * 86_400  # 2026-11-09
    assert decide(channel, NEW, said("電話", monday)).messages == (text("どうぞ"),)


def test_what_nobody_knows_decides_nothing() -> None:
    """It is kept, and that is all."""
    assert after(event("brandNew", 1, known=False)) == Decision(NEW)
