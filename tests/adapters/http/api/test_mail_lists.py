"""Mail lists and recipients over the API: what is shown, to whom, and what is never taken out."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.main.mail.api import part
from gateway.main.mail.keys import MailKeys
from gateway.ports.mail.pages import Recalls
from tests.adapters.http.api.mailing import (
    CONSENT,
    POSTPAID,
    PREPAID,
    given_lists,
    given_recipient,
    given_traces,
)
from tests.adapters.http.api.world import Answered, World


class Heard(Recalls):
    """Hears of stops in the place of a sender."""

    def __init__(self) -> None:
        self.stops: list[Any] = []

    def note(self, suppressions: Any) -> None:
        self.stops += suppressions


HEARD = Heard()


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running API with the calls of mail."""
    folder = tmp_path_factory.mktemp("api")
    made = World(
        sqlite_template,
        folder,
        lambda deps: part(deps, MailKeys(deps.store), recall=HEARD).endpoints,
    )
    made.open()
    given_lists(made)
    yield made
    made.close()


def manage(world: World, method: str, path: str, body: Any = None, **further: Any) -> Answered:
    """What a manager of ``acme`` is answered."""
    return world.ask(method, path, token=world.token("manager", "acme"), body=body, **further)


def audited(world: World, action: str) -> int:
    """How often something was audited."""
    (row,) = world.engine.rows(f"SELECT count(*) FROM audit WHERE action = '{action}'")
    return int(row[0])


def test_lists_are_shown_without_their_keys(world: World) -> None:
    """With their contract, and what their sends wait for."""
    items = world.get("/mail-lists?advertiser=acme").json["items"]
    assert [item["id"] for item in items] == [PREPAID.id, POSTPAID.id]
    assert [item["may_export"] for item in items] == [True, False]
    found = world.get(f"/mail-lists/{PREPAID.id}").json
    assert found["check"]["findings"] == ["SPF: it passes"]
    assert found["confirmation"]["by"] == "clerk"
    assert "dkim" not in str(found)
    page = world.get("/mail-lists?advertiser=acme&limit=1").json
    rest = world.get(f"/mail-lists?advertiser=acme&limit=1&cursor={page['next']}").json
    assert [item["id"] for item in rest["items"]] == [POSTPAID.id]


def test_r130_all_laws_are_to_be_confirmed(world: World) -> None:
    """One that is left out is none; who confirmed them is audited."""
    laws = ("specified_commercial_transactions", "misleading_representations", "election_law")
    path = f"/mail-lists/{PREPAID.id}/confirmation"
    before = audited(world, "mail.law_confirmed")
    refused = manage(world, "POST", path, dict.fromkeys(laws, True) | {"election_law": False})
    assert (refused.status, refused.reason) == (409, "law_unconfirmed")
    done = manage(world, "POST", path, dict.fromkeys(laws, True))
    assert (done.status, done.json["by"][:6]) == (200, "token:")
    assert audited(world, "mail.law_confirmed") == before + 1


def test_a_check_is_overridden_by_name(world: World) -> None:
    """By the operator alone: it is its name among mail servers that suffers."""
    path = f"/mail-lists/{PREPAID.id}/check/override"
    assert manage(world, "POST", path, {"by": "Sato"}).reason == "role_not_allowed"
    done = world.ask("POST", path, token=world.token("operator"), body={"by": "Sato"})
    assert (done.status, done.json["overridden_by"]) == (200, "Sato")


def test_nobody_is_added_without_consent(world: World) -> None:
    """Stated in full, and not of the future; then once."""
    path = f"/mail-lists/{PREPAID.id}/recipients"
    address = {"address": " Hanako@Example.JP "}
    assert manage(world, "POST", path, address).reason == "invalid_field"
    later = CONSENT | {"at": "2037-01-01T00:00:00Z"}
    refused = manage(world, "POST", path, address | {"consent": later})
    assert (refused.status, refused.reason) == (422, "consent_invalid")
    body = address | {"consent": CONSENT, "attributes": {"name": "花子"}, "tags": ["vip"]}
    added = manage(world, "POST", path, body)
    assert (added.status, added.json["outcome"]) == (201, "added")
    assert "example" not in str(added.json)
    assert manage(world, "POST", path, body).json["outcome"] == "unchanged"
    shown = manage(world, "GET", f"{path}/{added.json['id']}").json
    assert shown["recipient"]["address"] == "Hanako@example.jp"
    assert (shown["tags"], shown["recipient"]["attributes"]) == (["vip"], {"name": "花子"})
    assert [said["evidence"] for said in shown["consents"]] == ["店頭の申込書: No. 12"]


@pytest.mark.parametrize("address", ["a@b@c", "a\r\nBcc: b@example.jp", "日本@example.jp", "x"])
def test_an_unfit_address_is_refused_by_name(world: World, address: str) -> None:
    """Line breaks among them; what was sent is not repeated."""
    body = {"address": address, "consent": CONSENT}
    refused = manage(world, "POST", f"/mail-lists/{PREPAID.id}/recipients", body)
    assert (refused.status, refused.reason) == (400, "address_invalid")
    assert address not in refused.body.decode()


def test_r083_postpaid_recipients_are_masked_and_never_exported(world: World) -> None:
    """Neither page nor single view nor table shows an address under that contract."""
    attributes = {"name": "秘密太郎"}
    recipient = given_recipient(
        world, POSTPAID.id, "secret.person@docomo.ne.jp", attributes=attributes
    )
    path = f"/mail-lists/{POSTPAID.id}/recipients"
    operator = world.token("operator")
    for token in (operator, world.token("manager", "acme")):
        for asked in (path, f"{path}/{recipient.id}"):
            answer = world.get(asked, token=token)
            assert answer.status == 200
            assert b"secret.person" not in answer.body
            assert "s***@d***.jp" in answer.body.decode()
            assert "密太郎" not in answer.body.decode()
            assert "秘***" in answer.body.decode()
        refused = world.get(f"{path}.csv", token=token)
        assert (refused.status, refused.reason) == (403, "export_forbidden")


def test_prepaid_recipients_are_taken_out_in_pages(world: World) -> None:
    """All of them once, by those who may; it is audited, and no cell is a formula."""
    given_recipient(world, attributes={"name": "=1+1"}, tags=("vip", "tokyo"))
    for _ in range(4):
        given_recipient(world)
    path = f"/mail-lists/{PREPAID.id}/recipients"
    before = audited(world, "mail.exported")
    text, asked, pages = "", f"{path}.csv?limit=2", 0
    while asked:
        answer = manage(world, "GET", asked)
        text += answer.body.decode()
        pages += 1
        link = answer.headers.get("link", "")
        asked = link.partition("/api/v1")[2].partition(">")[0]
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    shown = manage(world, "GET", f"{path}?limit=500").json["items"]
    assert [row["address"] for row in rows] == [item["address"] for item in shown]
    assert pages == -(-len(rows) // 2)
    assert audited(world, "mail.exported") == before + pages
    marked = next(row for row in rows if row["tags"] == "tokyo vip")
    assert marked["name"] == "'=1+1"


def test_a_viewer_sees_no_address(world: World) -> None:
    """Of no contract."""
    recipient = given_recipient(world)
    answer = world.get(f"/mail-lists/{PREPAID.id}/recipients", token=world.token("viewer", "acme"))
    assert recipient.address.encode() not in answer.body


def test_r104_the_operator_may_delete_but_not_correct(world: World) -> None:
    """What is changed, the contractor changes."""
    recipient = given_recipient(world)
    path = f"/mail-lists/{PREPAID.id}/recipients/{recipient.id}"
    body = {"attributes": {"pref": "大阪"}, "tags": ["ＶＩＰ", "新商品"]}
    refused = world.ask("PATCH", path, token=world.token("operator"), body=body)
    assert (refused.status, refused.reason) == (403, "role_not_allowed")
    assert manage(world, "PATCH", path, body).status == 204
    assert manage(world, "GET", path).json["tags"] == ["vip", "新商品"]
    refused = manage(world, "PATCH", path, {"tags": ["a b"]})
    assert (refused.reason, "letters or digits" in refused.json["detail"]) == (
        "invalid_field",
        True,
    )
    assert manage(world, "PATCH", path, {"untags": ["VIP", "新商品"]}).status == 204
    assert manage(world, "GET", path).json["tags"] == []
    assert world.ask("DELETE", path, token=world.token("operator")).status == 204
    assert manage(world, "GET", path).status == 404


def test_r104_the_operator_corrects_nobody_by_adding_them_again(world: World) -> None:
    """Whom it adds anew comes with attributes; of who is there nothing changes but the consent."""
    path = f"/mail-lists/{PREPAID.id}/recipients"

    def add(role: str, pref: str) -> tuple[str, dict[str, str], list[str]]:
        token = world.token("operator") if role == "operator" else world.token("manager", "acme")
        body = {
            "address": "again@docomo.ne.jp",
            "consent": CONSENT,
            "attributes": {"pref": pref},
            "tags": [role],
        }
        made = world.ask("POST", path, token=token, body=body).json
        found = manage(world, "GET", f"{path}/{made['id']}").json
        return made["outcome"], found["recipient"]["attributes"], found["tags"]

    assert add("operator", "東京") == ("added", {"pref": "東京"}, ["operator"])
    assert add("operator", "大阪") == ("unchanged", {"pref": "東京"}, ["operator"])
    assert add("manager", "大阪") == ("updated", {"pref": "大阪"}, ["manager", "operator"])


def test_a_recipient_is_found_on_their_own_list_alone(world: World) -> None:
    """Another list's id does not show them."""
    recipient = given_recipient(world)
    assert (
        manage(world, "GET", f"/mail-lists/{POSTPAID.id}/recipients/{recipient.id}").status == 404
    )


def test_staff_enter_a_stop(world: World) -> None:
    """The sender hears of it before the answer; a repeat under the same key does nothing more."""
    recipient = given_recipient(world)
    path, staff = f"/mail-lists/{PREPAID.id}/stops", world.token("staff", "acme")
    key = {"Idempotency-Key": "stop-1"}
    HEARD.stops.clear()
    body = {"recipient": str(recipient.id)}
    done = world.ask("POST", path, token=staff, body=body, headers=key)
    assert (done.status, done.json["is_new"]) == (200, True)
    assert [stop.hash for stop in HEARD.stops] == [recipient.hash]
    assert world.ask("POST", path, token=staff, body=body, headers=key).body == done.body
    assert len(HEARD.stops) == 1
    added = {"address": recipient.address, "consent": CONSENT}
    refused = manage(world, "POST", f"/mail-lists/{PREPAID.id}/recipients", added)
    assert (refused.status, refused.reason) == (409, "recipient_stopped")


def test_a_stop_has_a_topic_and_an_end_where_they_said_so(world: World) -> None:
    """Until the end of that day in Tokyo; a topic that the list does not have is a slip."""
    path = f"/mail-lists/{PREPAID.id}/stops"
    body = {"address": "topic@docomo.ne.jp", "topic": "sale", "until": "2030-01-31"}
    (stop,) = manage(world, "POST", path, body).json["stops"]
    assert (stop["topic"], stop["until"]) == ("sale", "2030-02-01T00:00:00+09:00")
    for wrong, reason in (
        ({"topic": "nothing"}, "unknown_reference"),
        ({"until": "2001-01-01"}, "absurd_value"),
        ({"recipient": "5"}, "not_in_one"),
    ):
        assert manage(world, "POST", path, body | wrong).reason == reason
    assert manage(world, "POST", path, {"recipient": "5"}).status == 404


def test_r104_a_person_is_told_all_by_whom_it_concerns(world: World) -> None:
    """Of a prepaid list the contractor, of a postpaid one the operator; the other is named."""
    address = "asks@docomo.ne.jp"
    for n, list_ in enumerate((PREPAID.id, POSTPAID.id)):
        made = given_recipient(world, list_, address, attributes={"name": "太郎"})
        given_traces(world, made, 99_000 + n)
    body = {"advertiser": "acme", "address": address}
    by_manager = manage(world, "POST", "/mail-disclosures", body).json
    operator = world.token("operator")
    by_operator = world.ask("POST", "/mail-disclosures", token=operator, body=body).json
    for told, own, other in (
        (by_manager, PREPAID.id, POSTPAID.id),
        (by_operator, POSTPAID.id, PREPAID.id),
    ):
        assert [entry["list"] for entry in told["entries"]] == [own]
        assert told["withheld"] == [other]
        assert told["entries"][0]["attributes"] == {"name": "太郎"}
        for kind in ("consents", "signups", "stops", "mails", "responses", "bounces"):
            assert [each["list"] for each in told[kind]] == [own], kind
        assert not told["more"]
    assert manage(world, "POST", "/mail-erasures", body).status == 200
    for token in (world.token("manager", "acme"), operator):
        told = world.ask("POST", "/mail-disclosures", token=token, body=body).json
        assert [stop["list"] for stop in told["stops"]].count(None) == 0
        assert len(told["withheld"]) == 1
    assert audited(world, "mail.disclosed") >= 2


def test_r104_a_person_is_deleted_and_stays_away(world: World) -> None:
    """From all lists; no answer that is kept repeats the address."""
    recipient = given_recipient(world, address="gone@docomo.ne.jp")
    body = {"advertiser": "acme", "address": recipient.address}
    HEARD.stops.clear()
    done = manage(world, "POST", "/mail-erasures", body, headers={"Idempotency-Key": "gone"})
    assert (done.status, done.json["recipients"]) == (200, 1)
    assert [stop.source for stop in HEARD.stops] == ["deletion"]
    added = {"address": recipient.address, "consent": CONSENT}
    again = manage(world, "POST", f"/mail-lists/{PREPAID.id}/recipients", added)
    assert again.reason == "recipient_stopped"


def test_r068_the_months_maximum_is_told(world: World) -> None:
    """An address on lists of two contracts counts in each; the maximum does not fall."""

    def sizes() -> dict[str, dict[str, int]]:
        items = world.get("/mail-sizes?advertiser=acme").json["items"]
        return {item["contract"]: item for item in items}

    for list_ in (PREPAID.id, POSTPAID.id):
        given_recipient(world, list_, "first@docomo.ne.jp")
    before = sizes()
    assert set(before) == {"postpaid", "prepaid"}
    for list_ in (PREPAID.id, POSTPAID.id):
        recipient = given_recipient(world, list_, "both@docomo.ne.jp")
    more = sizes()
    for contract in before:
        assert more[contract]["addresses"] == before[contract]["addresses"] + 1
    stop = {"address": recipient.address}
    manage(world, "POST", f"/mail-lists/{PREPAID.id}/stops", stop)
    after = sizes()
    assert after["prepaid"]["addresses"] == before["prepaid"]["addresses"]
    assert after["prepaid"]["maximum"] >= more["prepaid"]["addresses"]
    assert after["postpaid"] == more["postpaid"]
