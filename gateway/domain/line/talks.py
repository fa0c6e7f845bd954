"""When people have a friend's conversation: from a hand-over to its end, or to a silence."""

import msgspec

from gateway.domain.values import SECOND

_LATE = 86_400 * SECOND
"""What is told later than this after it happened finds what was before it forgotten; the platform
takes no reply to it any more."""

_MOST = 16
"""So many stretches, hand-overs and ends are remembered, the latest."""


class Talk(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The latest of a conversation, by the platform's instants (microseconds).

    Words come late and twice, and one that was missing may join what seemed to be two
    conversations. So it is not a state that moves with each word, but the set of them: in whatever
    order they are told, it is the same. ``silence`` is always in microseconds, too.
    """

    stretches: tuple[tuple[int, int], ...] = ()
    """The first and the last word of each stretch without a silence, of either side, in order."""
    calls: tuple[int, ...] = ()
    """When it was handed to people."""
    ends: tuple[int, ...] = ()
    """When it was given back, by a word or by staff; a silence gives it back without one."""

    def said(self, at: int, silence: int) -> "Talk":
        """Somebody said something."""
        first, last = at, at
        apart = []
        for stretch in self.stretches:
            if stretch[0] - last < silence and first - stretch[1] < silence:
                first, last = min(first, stretch[0]), max(last, stretch[1])
            else:
                apart.append(stretch)
        known = sorted([*apart, (first, last)])
        horizon = known[-1][1] - silence - _LATE
        stretches = tuple([each for each in known if each[1] > horizon][-_MOST:])
        since = stretches[0][0]
        return Talk(
            stretches,
            tuple([each for each in self.calls if each >= since]),
            tuple([each for each in self.ends if each >= since]),
        )

    def called(self, at: int) -> "Talk":
        """It was handed to people. That is a word, too; what it belongs to, the next one tells."""
        known = self.said(at, 1)
        return Talk(known.stretches, _with(known.calls, at), known.ends)

    def ended(self, at: int) -> "Talk":
        """It was given back."""
        return Talk(self.stretches, self.calls, _with(self.ends, at))

    def staffed_until(self, at: int, silence: int) -> int:
        """When the rules answer again, if people do at an instant; 0 where they do not."""
        call = max((each for each in self.calls if each <= at), default=0)
        if any(call < end <= at for end in self.ends):
            return 0
        for first, last in self.stretches:
            if first <= call <= last:
                until = min([last + silence, *(end for end in self.ends if end > at)])
                return until if at < until else 0
        return 0


def _with(known: tuple[int, ...], at: int) -> tuple[int, ...]:
    return tuple(sorted({*known, at})[-_MOST:])


_decode = msgspec.json.Decoder(Talk).decode
_encode = msgspec.json.encode


def read_talk(text: str) -> Talk:
    """What :func:`written_talk` wrote; nobody said anything where it is empty."""
    return _decode(text) if text else Talk()


def written_talk(talk: Talk) -> str:
    """As a friend keeps it."""
    return _encode(talk).decode()
