"""What the simulated mail server and its people know of mails, beside what the store says."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from gateway.demo.summary import Figure
from gateway.domain.mail.addresses import masked_address
from gateway.domain.mail.campaigns import SendState
from gateway.domain.mail.tokens import hash_of, unverp
from gateway.errors import Refused
from gateway.main.mail.world import Deed, HeldMail, Letter
from gateway.ports.mail.campaigns import Send

Which = tuple[int, int]
"""A mail: campaign and recipient."""

_WELL = {"bounce": (250,), "complain": (250,), "stop": (200,), "open": (200,), "click": (302,)}
"""How the gateway answers what people do."""

_MAYBE = "held"


class MailComparison:
    """Both sides, address by address.

    Args:
        letters: all that the server took.
        asked: how often it was asked to take something, by address.
        deeds: what people did with their mails.
        held: what the store says.
        before: who had stopped or complained before a campaign was made, by its id.
    """

    def __init__(
        self,
        letters: Collection[Letter],
        asked: Mapping[str, int],
        deeds: Collection[Deed],
        held: HeldMail,
        before: Mapping[int, Collection[str]],
    ) -> None:
        self._asked = asked
        self._deeds = deeds
        self._held = held
        self._before = before
        self._faults: list[str] = []
        self._got: Counter[Which] = Counter()
        self._taken: Counter[str] = Counter()
        self._addresses = {_which(send): address for send, address in held.sends}
        for letter in letters:
            self._take(letter)
        self.maybe = list(self._in_doubt())
        """Mails of which the gateway cannot know whether they arrived; and whether they did."""
        self._faults += [*self._mails(), *self._refusals(), *self._after_stops()]
        self._faults += [*self._reports(), *self._stops(), *self._failed_deeds()]
        self.figures = list(self._figures())
        self.faults = [*self._faults, *self._unequal()]

    @property
    def line(self) -> str:
        """How much was compared."""
        return (
            f"{self._got.total()} mails of {len(self._held.campaigns)} campaigns,"
            f" compared address by address ({len(self._taken)})"
        )

    # --- mails ---

    def _take(self, letter: Letter) -> None:
        """The tag of its envelope sender says whose mail it is."""
        named = self._named(letter.sender)
        shown = masked_address(letter.recipient)
        if named is None:
            self._faults.append(f"{shown}: the sink got a mail without a tag of ours")
            return
        self._got[named] += 1
        self._taken[letter.recipient] += 1
        address = self._addresses.get(named)
        if address is None:
            self._faults.append(f"{shown}: the sink got a mail that the store knows nothing of")
        elif address != letter.recipient:
            meant = masked_address(address)
            self._faults.append(f"{shown}: the sink got a mail that was for {meant}")

    def _mails(self) -> Iterator[str]:
        """Each mail arrived once, where the store says sent, and else never."""
        for send, address in self._held.sends:
            count = self._got[_which(send)]
            least, most = _bounds(send.state)
            if not least <= count <= most:
                shown = masked_address(address)
                yield f"{shown}: the store says {send.state}, the sink got it {count} times"
            if send.state in ("queued", "attempting", "deferred"):
                yield f"{masked_address(address)}: the mail is still {send.state}"

    def _in_doubt(self) -> Iterator[str]:
        for send, address in self._held.sends:
            if send.state == _MAYBE:
                came = "it arrived" if self._got[_which(send)] else "it did not arrive"
                yield f"mail to {masked_address(address)}: {came}"

    def _refusals(self) -> Iterator[str]:
        """What the server was asked to take and did not, the store has as failed."""
        failed = Counter(address for send, address in self._held.sends if send.state == "failed")
        for address in sorted({*self._asked, *failed}):
            refused = self._asked.get(address, 0) - self._taken[address]
            if refused != failed[address]:
                shown = masked_address(address)
                yield f"{shown}: refused {refused} times, {failed[address]} by the store"

    def _after_stops(self) -> Iterator[str]:
        """Nobody gets a campaign that was made after they stopped."""
        for campaign, addresses in self._before.items():
            for which, address in self._addresses.items():
                if which[0] == campaign and address in addresses and self._got[which]:
                    yield f"{masked_address(address)}: got a mail after the stop"

    # --- what people did ---

    def _done(self, what: str) -> list[Deed]:
        """What was done and answered well."""
        return [each for each in self._deeds if each.what == what and each.status in _WELL[what]]

    def _failed_deeds(self) -> Iterator[str]:
        for deed in self._deeds:
            if deed.status not in _WELL[deed.what]:
                told = deed.error or f"answered {deed.status}"
                yield f"{masked_address(deed.address)}: {deed.what}: {told}"

    def _reports(self) -> Iterator[str]:
        """Each report is in the log once, as what it was."""
        for what, of_people in (("bounce", False), ("complain", True)):
            did = Counter(self._named(deed.target) for deed in self._done(what))
            has = Counter(
                (each.campaign, each.recipient)
                for each in self._held.bounces
                if each.source != "smtp" and (each.source == "complaint") is of_people
            )
            for which in sorted(each for each in {*did, *has} if each is not None):
                if min(1, did[which]) != has[which]:
                    shown = masked_address(self._addresses.get(which, ""))
                    yield f"{shown}: {what}: reported {did[which]} times, logged {has[which]} times"

    def _stops(self) -> Iterator[str]:
        """Who stopped or complained is not mailed any more, and nobody else."""
        lists = {each.id: each.list for each in self._held.campaigns}
        known = {
            (lists[campaign], hash_of(address, self._held.keys)): address
            for (campaign, _), address in self._addresses.items()
        }
        for what, source in (("stop", "one_click"), ("complain", "complaint")):
            did = {deed.address for deed in self._done(what)}
            has = {
                known.get((list_, hash_), "")
                for list_, hash_, by in self._held.stopped
                if by == source
            }
            for address in sorted(did ^ has):
                where = "the store alone" if address in has else "their side alone"
                yield f"{masked_address(address)}: {what}: on {where}"

    # --- in all ---

    def _figures(self) -> Iterator[Figure]:
        def kept(*names: str) -> int:
            return sum(
                amount
                for figures in self._held.figures.values()
                for name, amount in figures.items()
                if name.partition(":")[0] in names
            )

        arrived = sum(
            self._got[_which(send)] for send, _ in self._held.sends if send.state == _MAYBE
        )
        taken, bounced = self._got.total(), len(self._done("bounce"))
        refused = sum(self._asked.values()) - self._taken.total()
        sent = kept("sent") + arrived
        # The figures have failures twice: as a state, and by class.
        failed = sum(each.get("failed", 0) for each in self._held.figures.values())
        yield Figure("mails", taken, sent)
        yield Figure("refused", refused, failed)
        yield Figure("bounced", bounced, kept("bounced"))
        yield Figure("delivered", taken - bounced, sent - kept("bounced"))
        yield Figure("complaints", len(self._done("complain")), kept("complaint"))
        yield Figure("stops", len(self._done("stop")), kept("stop"))
        yield Figure("clicks", len(self._done("click")), kept("click"))
        yield Figure("opens", len(self._done("open")), kept("open"))

    def _unequal(self) -> Iterator[str]:
        for name, did, has in self.figures:
            if did != has:
                yield f"{name} of mails: {did}, {has} by the store"

    def _named(self, address: str) -> Which | None:
        """Whose mail a tagged address names."""
        try:
            named = unverp(address.partition("@")[0], self._held.keys.verp, 0)
        except Refused:
            return None
        return named.campaign, named.recipient


def _which(send: Send) -> Which:
    return send.campaign, send.recipient


def _bounds(state: SendState) -> tuple[int, int]:
    """How often the sink may have got a mail in a state: at least, and at most."""
    return int(state == "sent"), int(state in ("sent", _MAYBE, "attempting"))
