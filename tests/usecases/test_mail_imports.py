"""Imports: each line once, with its outcome, whatever comes between."""

from collections import Counter
from contextlib import closing

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.mail.consent import Stated
from gateway.domain.mail.importing.csvfile import examined, rows_of
from gateway.domain.mail.importing.imports import Import
from gateway.domain.mail.importing.lines import Line, checked_line
from gateway.domain.mail.profiles import attributes_of
from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import Refusal, Refused
from gateway.usecases.mail import imports as mail_imports
from gateway.usecases.mail import rights as mail_rights
from gateway.usecases.mail.imports import AT_ONCE, End, Take
from tests.support.mail_lists import CLUB, DAY, KEYS, NEWS, NOON, STATED, MailDesk
from tests.support.stores import Engine


@pytest.fixture
def desk(engine: Engine) -> MailDesk:
    """Mail lists."""
    return MailDesk(engine)


def end(desk: MailDesk, imported: Import, fault: str = "") -> Import:
    """An import comes to its end."""
    ended: Import = desk.run(mail_imports.finish, End(EVERYBODY, imported.id, desk.now, fault))
    return ended


def test_a_file_is_taken_in_with_its_report(desk: MailDesk) -> None:
    """Each line that was not simply added is told of, with the reason."""
    desk.add("known@b.jp", attributes={"name": "K"})
    desk.add("same@b.jp")
    desk.stop(recipient=desk.add("stopped@b.jp").recipient.id)
    content = (
        "メールアドレス,name,タグ\n"
        "new@b.jp,N,vip\n"
        "known@b.jp,L,\n"
        "same@b.jp,,\n"
        "stopped@b.jp,,\n"
        "nobody,,\n"
        "NEW@b.jp,,x\n"
        "new@b.jp,N,vip\n"
        "last@b.jp\n"
    ).encode("cp932")
    layout = examined([content], NEWS.attributes)
    begun = desk.begin_import(states_consent=layout.states_consent)
    lines = [
        checked_line(row, NEWS, NOON, states_consent=layout.states_consent)
        for row in rows_of([content], layout)
    ]
    desk.take(begun, *lines[:4])
    taken = desk.take(begun, *lines[4:])
    assert (taken.line, taken.added, taken.updated, taken.unchanged) == (9, 2, 2, 2)
    assert (taken.suppressed, taken.refused) == (1, 1)
    assert desk.report(begun) == [
        (3, "updated", ""),
        (4, "unchanged", ""),
        (5, "suppressed", ""),
        (6, "refused", "no_at"),
        (7, "updated", "doubled"),
        (8, "unchanged", "doubled"),
    ]
    new = desk.find("new@b.jp")
    assert new is not None
    assert (new.address, attributes_of(new.attributes)) == ("new@b.jp", {"name": "N"})
    assert desk.tags(new) == {"vip", "x"}
    (said,) = desk.consents("new@b.jp")
    assert (said.at, said.how, said.notice) == (STATED.at, "import", "2")
    assert said.evidence == "店頭の申込書: No. 12"
    ended = end(desk, begun)
    assert (ended.state, ended.ended_at) == ("done", NOON)
    assert desk.audited[-2:] == ["mail.import_begun", "mail.import_done"]
    assert desk.size == 4


def test_r073_an_import_without_a_consent_is_refused(desk: MailDesk) -> None:
    """Neither of the file nor of its lines; nothing is kept of it."""
    with pytest.raises(Refused) as caught:
        desk.begin_import(consent=None)
    assert caught.value.reason is Refusal.CONSENT_MISSING
    with pytest.raises(Refused) as caught:
        desk.begin_import(consent=Stated(NOON + DAY, "form", "x", "1"))
    assert caught.value.reason is Refusal.CONSENT_INVALID
    assert desk.engine.rows("SELECT * FROM mail_imports") == []


def test_lines_may_state_their_own_consent(desk: MailDesk) -> None:
    """A line without one is refused, though its address is good."""
    begun = desk.begin_import(states_consent=True, consent=None)
    mine = Stated(NOON - DAY, "電話", "録音 5", "1")
    taken = desk.take(begun, Line(2, "a@b.jp", consent=mine), Line(3, "c@d.jp"))
    assert (taken.added, taken.refused) == (1, 1)
    assert desk.report(begun) == [(3, "refused", "consent_missing")]
    (said,) = desk.consents("a@b.jp")
    assert (said.at, said.evidence) == (NOON - DAY, "電話: 録音 5")
    assert desk.find("c@d.jp") is None


def test_r102_an_import_lifts_no_stop(desk: MailDesk) -> None:
    """Not even of somebody who was deleted, and not by a consent that is newer."""
    desk.stop(recipient=desk.add("stopped@b.jp").recipient.id)
    desk.add("erased@b.jp")
    wish = mail_rights.Erase(EVERYBODY, "acme", "erased@b.jp", KEYS, "token:7", NOON, desk.seed(1))
    desk.run(mail_rights.erase, wish)
    desk.now = NOON + DAY
    begun = desk.begin_import(consent=Stated(NOON + DAY, "form", "x", "9"))
    taken = desk.take(begun, Line(2, "STOPPED@b.jp"), Line(3, "erased@b.jp"), Line(4, "c@d.jp"))
    assert (taken.suppressed, taken.added) == (2, 1)
    assert desk.find("erased@b.jp") is None
    assert len(desk.stops("stopped@b.jp")) == len(desk.stops("erased@b.jp")) == 1
    assert desk.size == 1


def test_the_same_file_again_changes_nothing(desk: MailDesk) -> None:
    """Not even the record of consents grows."""
    for outcome in ("added", "unchanged"):
        begun = desk.begin_import()
        taken = desk.take(begun, Line(2, "a@b.jp", {"name": "A"}, ("x",)), Line(3, "c@d.jp"))
        assert getattr(taken, outcome) == 2
        end(desk, begun)
        desk.now += DAY
    assert len(desk.consents("a@b.jp")) == 1


def test_r104_a_line_that_would_correct_somebody_says_so(desk: MailDesk) -> None:
    """The operator's file: what differs is told of, by attributes or tags, and left as it is."""
    desk.add("a@b.jp", attributes={"name": "A"}, tags=("x",))
    desk.add("c@d.jp", attributes={"name": "C"})
    desk.add("e@f.jp", attributes={"name": "E"}, tags=("x",))
    begun = desk.begin_import(corrects=False)
    newer = msgspec.structs.replace(STATED, at=STATED.at + DAY)
    taken = desk.take(
        begun,
        Line(2, "a@b.jp", {"name": "Z"}),
        Line(3, "c@d.jp", {"name": "C"}, ("y",), consent=newer),
        Line(4, "e@f.jp", {"name": "E"}, ("x",)),
    )
    assert (taken.updated, taken.unchanged) == (1, 2)
    assert desk.report(begun) == [
        (2, "unchanged", "not_corrected"),
        (3, "updated", "not_corrected"),
        (4, "unchanged", ""),
    ]
    for address, name, tags in (("a@b.jp", "A", ("x",)), ("c@d.jp", "C", ())):
        known = desk.find(address)
        assert known is not None
        assert (attributes_of(known.attributes), desk.tags(known)) == (
            {"name": name},
            frozenset(tags),
        )


def test_lines_that_were_taken_in_are_passed_over(desk: MailDesk) -> None:
    """A run that died before it heard that its lines were kept comes with them again."""
    begun = desk.begin_import()
    lines = [Line(n, f"user{n}@b.jp") for n in range(2, 12)]
    desk.take(begun, *lines[:5])
    taken = desk.take(begun, *lines)
    assert (taken.added, taken.unchanged, taken.line) == (10, 0, 11)
    assert desk.take(begun, *lines) == taken
    assert desk.report(begun) == []


def test_an_import_that_is_over_takes_nothing_in(desk: MailDesk) -> None:
    """Neither one that was refused as a whole; ending it twice changes nothing."""
    begun = desk.begin_import()
    refused = end(desk, begun, "line 3: it is longer than 100000 characters")
    assert (refused.state, refused.reason[:6]) == ("refused", "line 3")
    desk.now += DAY
    assert end(desk, begun) == refused
    with pytest.raises(Refused) as caught:
        desk.take(begun, Line(2, "a@b.jp"))
    assert caught.value.reason is Refusal.IMPORT_OVER
    assert desk.find("a@b.jp") is None


def test_nobody_reaches_the_imports_of_others(desk: MailDesk) -> None:
    """One out of scope is none."""
    begun = desk.begin_import()
    others = Scope(frozenset({"other"}))
    for use_case, wish in (
        (mail_imports.take, Take(others, begun.id, (Line(2, "a@b.jp"),), NOON, desk.seed(2), KEYS)),
        (mail_imports.finish, End(others, begun.id, NOON)),
    ):
        with pytest.raises(Refused) as caught:
            desk.run(use_case, wish)
        assert caught.value.reason is Refusal.NOT_FOUND


def test_an_address_may_be_on_many_lists(desk: MailDesk) -> None:
    """It is sendable once."""
    for list_ in (NEWS.id, CLUB.id):
        desk.take(desk.begin_import(list_), Line(2, "a@b.jp"))
    assert desk.size == 1
    assert len(desk.consents("a@b.jp")) == 2


ADDRESSES = [f"user{n}@b.jp" for n in range(6)] + ["USER0@b.jp"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.sampled_from([*ADDRESSES, "", "bad"]), max_size=14),
    cuts=st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=6),
    stopped=st.sets(st.sampled_from(ADDRESSES[:6])),
)
def test_every_line_counts_once_however_often_it_comes(
    sqlite: Engine, lines: list[str], cuts: list[tuple[int, int]], stopped: set[str]
) -> None:
    """Runs that die and begin again anywhere make the same list and the same counts as one run."""
    desk = MailDesk(sqlite)
    with closing(desk.engine.raw()) as raw:
        for table in ("recipients", "consents", "suppressions", "import_lines", "imports", "sizes"):
            raw.execute(f"DELETE FROM mail_{table}")
    for address in stopped:
        desk.stop(address=address, list=NEWS.id)
    numbered = [
        Line(n, address, fault=None if "@" in address else "no_at")
        for n, address in enumerate(lines, 2)
    ]
    begun = desk.begin_import()
    for first, last in cuts:
        known = desk.take(begun)
        # A run begins behind what is known, or before it where it knows no better; it skips none
        begin = min(first, max(known.line - 1, 0))
        desk.take(begun, *numbered[begin:last])
    taken = desk.take(begun, *numbered)
    outcomes = Counter(
        {
            name: getattr(taken, name)
            for name in ("added", "updated", "unchanged", "suppressed", "refused")
        }
    )
    people = {address.lower() for address in lines if "@" in address}
    assert outcomes.total() == len(lines)
    assert outcomes["added"] == len(people - stopped)
    assert outcomes["suppressed"] == sum(address.lower() in stopped for address in lines)
    assert outcomes["refused"] == sum("@" not in address for address in lines)
    assert desk.size == len(people - stopped)
    assert len(desk.report(begun)) == len(lines) - outcomes["added"]


def test_a_whole_unit_is_taken_in_at_once(sqlite: Engine) -> None:
    """With the ids that it is given; more lines than that wait for the next one."""
    desk = MailDesk(sqlite)
    begun = desk.begin_import()
    lines = [Line(n, f"user{n}@b.jp", {"name": "x"}, ("t",)) for n in range(2, AT_ONCE + 2)]
    again = [msgspec.structs.replace(line, line=line.line + AT_ONCE) for line in lines]
    taken = desk.take(begun, *lines, *again)
    assert (taken.added, taken.line) == (AT_ONCE, AT_ONCE + 1)
    desk.now += DAY
    changed = [msgspec.structs.replace(line, attributes={"name": "y"}) for line in again]
    assert desk.take(begun, *changed).updated == desk.size == AT_ONCE
