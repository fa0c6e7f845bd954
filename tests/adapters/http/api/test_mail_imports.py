"""Imports over the API: a file comes, is examined, taken in, and reported on."""

import datetime as dt
import http.client
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.http.api.mail.imports import MOST_BYTES
from gateway.domain.mail.importing.csvfile import MOST_IN_A_ROW
from gateway.domain.mail.lists import MailList
from gateway.domain.values import micros
from gateway.main.mail.api import part
from gateway.main.mail.files import MOST_OF_ONE, MOST_WAITING
from gateway.main.mail.keys import MailKeys
from gateway.usecases.mail.imports import AT_ONCE
from tests.adapters.http.api.mailing import PREPAID, files, given_lists, until_idle
from tests.adapters.http.api.world import Answered, World

PATH = f"/mail-lists/{PREPAID.id}/imports"
STATED = "consent_at=2026-10-01T09:00:00%2B09:00&consent_how=form&consent_evidence=No.1&notice=3"
CSV = {"Content-Type": "text/csv"}


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running API with the calls of mail; its chore runs when a test says so."""
    folder = tmp_path_factory.mktemp("api")

    def endpoints(deps: Any) -> Any:
        made.part = part(deps, MailKeys(deps.store))  # type: ignore[attr-defined]  # for tests here
        return made.part.endpoints  # type: ignore[attr-defined]  # the same

    made = World(sqlite_template, folder, endpoints)
    made.open()
    given_lists(made)
    yield made
    made.close()


def send(world: World, body: bytes, query: str = STATED, key: str = "") -> Answered:
    """A file that a manager uploads."""
    headers = CSV | ({"Idempotency-Key": key} if key else {})
    token = world.token("manager", "acme")
    return world.ask("POST", f"{PATH}?{query}", token=token, body=body, headers=headers)


def taken(world: World, body: bytes, query: str = STATED) -> Any:
    """An import that came to its end."""
    begun = send(world, body, query)
    assert begun.status == 202, begun.body
    finish(world)
    return world.get(f"{PATH}/{begun.json['id']}").json


def finish(world: World) -> None:
    """Let the daemon's chore take in what lies there."""
    chore = world.part.chores["mail-imports"]  # type: ignore[attr-defined]  # of the fixture
    world.wait(until_idle(chore, files(world)))


def lines(world: World, imported: Any) -> list[tuple[int, str, str]]:
    """The report of an import."""
    items = world.get(f"{PATH}/{imported['id']}/lines").json["items"]
    return [(item["line"], item["outcome"], item["reason"]) for item in items]


def test_a_file_is_taken_in_with_a_report_of_its_lines(world: World) -> None:
    """Shift_JIS as Excel writes it; what cannot be taken is named by line."""
    text = (
        "メールアドレス,name,タグ\na1@docomo.ne.jp,太郎,vip\nnobody,次郎,\nA1@docomo.ne.jp,三郎,\n"
    )
    done = taken(world, text.encode("cp932"), f"{STATED}&name=list.csv")
    assert (done["state"], done["name"], done["line"]) == ("done", "list.csv", 4)
    assert (done["added"], done["updated"], done["refused"]) == (1, 1, 1)
    assert lines(world, done) == [(3, "refused", "no_at"), (4, "updated", "doubled")]
    assert done["ended_at"].endswith("+09:00")
    assert files(world).waiting() == []


def test_a_file_without_consent_is_refused(world: World) -> None:
    """Neither of the whole nor by line, or of a half of it; nothing is kept of the file."""
    body = b"address\na2@docomo.ne.jp\n"
    for query in ("", "consent_how=form", "consent_at=2026-10-01T09:00:00Z&notice=3"):
        refused = send(world, body, query)
        assert (refused.status, refused.reason) == (422, "consent_missing")
    assert files(world).waiting() == []


@pytest.mark.parametrize(
    ("at", "instant"),
    [
        ("2026-10-01", "2026-09-30T15:00:00Z"),
        ("2026-10-01T09:00:00+09:00", "2026-10-01T00:00:00Z"),
        ("2026-10-01T09:00:00%2B09:00", "2026-10-01T00:00:00Z"),
    ],
)
def test_a_consent_of_a_whole_file_is_of_a_day_or_a_moment(
    world: World, at: str, instant: str
) -> None:
    """A day is one of Asia/Tokyo, as in files and by the command."""
    query = f"consent_at={at}&consent_how=form&consent_evidence=1&notice=3"
    begun = send(world, b"address\nday@docomo.ne.jp\n", query)
    assert begun.status == 202, begun.body
    ((kept,),) = world.engine.rows(
        f"SELECT consent FROM mail_imports WHERE id = {begun.json['id']}"
    )
    assert json.loads(kept)["at"] == micros(dt.datetime.fromisoformat(instant))
    finish(world)
    refused = send(world, b"address\n", query.replace(at, "2026-13-01"))
    assert (refused.status, refused.reason) == (422, "consent_invalid")


def test_lines_may_state_their_own_consent(world: World) -> None:
    """Then nothing is to be stated of the whole file."""
    head = "address,consent_at,consent_how,consent_evidence,notice\n"
    body = head + "a3@docomo.ne.jp,2026-10-01,form,No. 1,3\na4@docomo.ne.jp,2099-10-01,form,1,3\n"
    done = taken(world, body.encode(), "")
    assert (done["added"], done["refused"]) == (1, 1)
    assert lines(world, done) == [(3, "refused", "consent_future")]


@pytest.mark.parametrize(
    "body", [b"", b"\0\1\2", b"address,shoe\na@docomo.ne.jp,40\n", b"a@docomo.ne.jp\n"]
)
def test_an_unfit_file_is_refused_before_anything_is_taken_in(world: World, body: bytes) -> None:
    """With what to mend."""
    refused = send(world, body)
    assert (refused.status, refused.reason) == (422, "file_invalid")
    assert files(world).waiting() == []


def test_a_repeat_begins_no_second_import(world: World) -> None:
    """The same file under the same key; another file under it is refused."""
    body = b"address\na5@docomo.ne.jp\n"
    first = send(world, body, key="import-1")
    assert send(world, body, key="import-1").body == first.body
    assert len(files(world).waiting()) == 1
    other = send(world, b"address\na6@docomo.ne.jp\n", key="import-1")
    assert (other.status, other.reason) == (422, "idempotency_key_reused")
    finish(world)
    assert world.get(f"{PATH}/{first.json['id']}").json["added"] == 1


def test_a_file_is_nobody_elses_while_it_waits(world: World) -> None:
    """Only the daemon's user may read it, and its folder."""
    send(world, b"address\na7@docomo.ne.jp\n")
    (waiting,) = files(world).waiting()
    path = files(world).path(waiting)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    finish(world)


def test_an_import_goes_on_where_a_process_was_killed(world: World) -> None:
    """Each line counts once, though the units before it are taken in again."""
    count = 2 * AT_ONCE + 10
    body = "address\n" + "".join(f"k{number}@docomo.ne.jp\n" for number in range(count))
    begun = send(world, body.encode())
    imported = int(begun.json["id"])
    chore = world.part.chores["mail-imports"]  # type: ignore[attr-defined]  # of the fixture
    real, units = world.store.run, 0

    async def dying(use_case: Any, argument: Any, *lane: Any) -> Any:
        nonlocal units
        if use_case.__name__ == "take":
            units += 1
            if units == 2:
                raise ConnectionAbortedError("killed")
        return await real(use_case, argument, *lane)

    world.store.run = dying  # type: ignore[assignment,method-assign]  # it dies in its midst
    try:
        with pytest.raises(ConnectionAbortedError):
            world.wait(chore())
    finally:
        world.store.run = real  # type: ignore[method-assign]  # as it was
    half = world.get(f"{PATH}/{imported}").json
    assert (half["state"], half["added"], half["line"]) == ("running", AT_ONCE, AT_ONCE + 1)
    finish(world)
    done = world.get(f"{PATH}/{imported}").json
    assert (done["state"], done["added"], done["line"]) == ("done", count, count + 1)


def test_a_file_that_nobody_began_to_take_in_goes_after_an_hour(world: World) -> None:
    """A process died between the two; until then it may be one that is being uploaded."""
    chore = world.part.chores["mail-imports-2"]  # type: ignore[attr-defined]  # of the fixture
    path = files(world).path(world.id())
    path.write_bytes(b"address\n")
    world.wait(chore())
    assert path.exists()
    os.utime(path, (0, 0))
    world.wait(chore())
    assert not path.exists()


def test_who_stopped_is_not_brought_back(world: World) -> None:
    """The line is reported as suppressed."""
    staff = world.token("staff", "acme")
    path = f"/mail-lists/{PREPAID.id}/stops"
    world.ask("POST", path, token=staff, body={"address": "no@docomo.ne.jp"})
    done = taken(world, b"address\nno@docomo.ne.jp\n")
    assert (done["added"], done["suppressed"]) == (0, 1)
    assert lines(world, done) == [(2, "suppressed", "")]


def test_r104_the_operator_corrects_nobody_by_an_import(world: World) -> None:
    """Who is there stays as they are; who is new comes with what the file says."""
    body = "address,name\ncorrected@docomo.ne.jp,{}\n"

    def import_(token: str, name: str) -> tuple[str, str]:
        begun = world.ask(
            "POST",
            f"{PATH}?{STATED}",
            token=token,
            body=body.format(name).encode(),
            headers=CSV,
        ).json
        finish(world)
        done = world.get(f"{PATH}/{begun['id']}").json
        outcome = next(word for word in ("added", "updated", "unchanged") if done[word])
        ((kept,),) = world.engine.rows(
            "SELECT attributes FROM mail_recipients WHERE address = 'corrected@docomo.ne.jp'"
        )
        return outcome, json.loads(kept)["name"]

    operator, manager = world.token("operator"), world.token("manager", "acme")
    assert import_(operator, "a") == ("added", "a")
    assert import_(operator, "b") == ("unchanged", "a")
    assert import_(manager, "b") == ("updated", "b")


def test_a_file_of_which_too_much_is_unfit_is_refused_amid_it(world: World) -> None:
    """What was taken in stays, with its report; the reason names the line."""
    body = b"address\ngood@docomo.ne.jp\n" + b"nobody\n" * (MOST_IN_A_ROW + 1_000)
    done = taken(world, body)
    assert (done["state"], done["added"]) == ("refused", 1)
    assert done["reason"].startswith(f"line {MOST_IN_A_ROW + 2}: ")
    assert MOST_IN_A_ROW <= done["refused"] <= MOST_IN_A_ROW + AT_ONCE
    assert files(world).waiting() == []


def test_a_list_that_goes_meanwhile_ends_the_import(world: World) -> None:
    """It is refused as a whole, and its file goes."""
    gone: Any = type(PREPAID)(
        **{name: getattr(PREPAID, name) for name in PREPAID.__struct_fields__} | {"id": "acme-gone"}
    )
    assert isinstance(gone, MailList)
    world.engine.provision(gone)
    given_lists(world)  # so that the store looks
    path, token = f"/mail-lists/{gone.id}/imports", world.token("manager", "acme")
    body = b"address\nb@docomo.ne.jp\n"
    begun = world.ask("POST", f"{path}?{STATED}", token=token, body=body, headers=CSV)
    assert begun.status == 202
    world.engine.provision(removed=[gone])
    given_lists(world)
    finish(world)
    (row,) = world.engine.rows(
        f"SELECT state, reason FROM mail_imports WHERE id = {begun.json['id']}"
    )
    assert row == ("refused", "the list is gone")


@pytest.mark.parametrize(("whose", "most"), [("other", MOST_WAITING), ("acme", MOST_OF_ONE)])
def test_r084_there_is_room_for_so_many_files_alone(world: World, whose: str, most: int) -> None:
    """In all, and of one advertiser, who leaves room to others. Who brings more is asked to come
    again; nothing of theirs is kept.
    """
    there = [world.id() for _ in range(most)]
    folder = files(world).path(1).parent
    folder.mkdir(exist_ok=True)
    for id_ in there:
        (folder / f"{id_}.{whose}.csv").write_bytes(b"")
    try:
        refused = send(world, b"address\na8@docomo.ne.jp\n")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert files(world).waiting() == there
    finally:
        for id_ in there:
            files(world).drop(id_)


def test_who_may_not_is_refused_before_the_file_is_read(world: World) -> None:
    """No byte of it: a stranger fills no disk."""
    connection = http.client.HTTPConnection("127.0.0.1", world.port, timeout=60)
    try:
        connection.putrequest("POST", f"/api/v1{PATH}?{STATED}")
        connection.putheader("Content-Type", "text/csv")
        connection.putheader("Content-Length", str(MOST_BYTES))
        connection.endheaders()  # and nothing comes
        response = connection.getresponse()
        assert response.status == 401
        assert json.loads(response.read())["reason"] == "unauthenticated"
    finally:
        connection.close()


def test_a_file_that_is_too_large_is_refused(world: World) -> None:
    """By what it says of itself, and while it comes."""
    token = world.token("manager", "acme")
    connection = http.client.HTTPConnection("127.0.0.1", world.port, timeout=60)
    try:
        connection.putrequest("POST", f"/api/v1{PATH}?{STATED}")
        connection.putheader("Authorization", f"Bearer {token}")
        connection.putheader("Content-Type", "text/csv")
        connection.putheader("Content-Length", str(MOST_BYTES + 1))
        connection.endheaders()
        response = connection.getresponse()
        assert response.status == 413
        response.read()
    finally:
        connection.close()
    assert files(world).waiting() == []


def test_another_media_type_is_refused(world: World) -> None:
    """Also one that is packed."""
    token = world.token("manager", "acme")
    for headers in ({"Content-Type": "application/json"}, CSV | {"Content-Encoding": "gzip"}):
        refused = world.ask("POST", f"{PATH}?{STATED}", token=token, body=b"a", headers=headers)
        assert (refused.status, refused.reason) == (415, "media_type")
