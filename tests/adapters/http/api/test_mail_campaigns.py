"""Mail campaigns over the API: drafted, looked at, tried out, let go, and what became of them."""

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.mail.addresses import without_addresses
from gateway.domain.mail.campaigns import Campaign, Result
from gateway.domain.mail.message import content as content_module
from gateway.domain.values import EVERYBODY
from gateway.main.mail.api import part
from gateway.main.mail.keys import MailKeys
from gateway.ports import Transaction
from gateway.ports.mail.campaigns import Bounce
from gateway.usecases import outbox
from gateway.usecases.mail.trials import MOST, MOST_A_DAY
from tests.adapters.http.api.mailing import (
    PLAN,
    POSTPAID,
    PREPAID,
    SEGMENT,
    given_campaign,
    given_lists,
    given_recipient,
)
from tests.adapters.http.api.world import Answered, World

CHANGED: list[Campaign] = []


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running API with the calls of mail."""
    folder = tmp_path_factory.mktemp("api")
    made = World(
        sqlite_template,
        folder,
        lambda deps: part(deps, MailKeys(deps.store), changed=CHANGED.append).endpoints,
    )
    made.open()
    given_lists(made)
    yield made
    made.close()


def manage(world: World, method: str, path: str, body: Any = None, **further: Any) -> Answered:
    """What a manager of ``acme`` is answered."""
    return world.ask(method, path, token=world.token("manager", "acme"), body=body, **further)


def draft(world: World, **changed: Any) -> Answered:
    """A draft of Acme's news."""
    body = {"list": PREPAID.id, "plan": PLAN | changed}
    return manage(world, "POST", "/mail-campaigns", body)


def do(world: World, use: Any) -> None:
    """Something done to the store itself."""

    def done(tx: Transaction, _: object) -> tuple[None, tuple[()]]:
        use(tx)
        return None, ()

    world.run(done, None)


def test_a_draft_is_shown_as_it_was_written(world: World) -> None:
    """With what is still to be mended; attachments by name and size."""
    pdf = {"name": "menu.pdf", "media_type": "application/pdf"}
    data = base64.b64encode(b"%PDF").decode()
    made = draft(
        world,
        attachments=[pdf | {"data": data}],
        segment=SEGMENT.id,
        conditions=[{"field": "pref", "op": "is", "value": "東京"}],
        topic="sale",
        footer=None,
        at="2026-12-01T10:00:00+09:00",
    )
    assert (made.status, made.json["state"]) == (201, "draft"), made.body
    found = manage(world, "GET", f"/mail-campaigns/{made.json['id']}").json
    assert found["campaign"] == made.json
    assert found["campaign"]["at"] == "2026-12-01T10:00:00+09:00"
    assert found["campaign"]["conditions"][0]["value"] == "東京"
    assert found["content"]["attachments"] == [pdf | {"bytes": 4}]
    assert found["content"]["html"] == PLAN["html"]
    assert {each["reason"] for each in found["problems"]} == {"display_item_missing"}
    listed = manage(world, "GET", f"/mail-campaigns?list={PREPAID.id}").json["items"]
    assert made.json in listed
    assert manage(world, "GET", f"/mail-campaigns?list={POSTPAID.id}").json["items"] == []


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"subject": "a\r\nBcc: b@example.jp {{ pref }}{% for x in y %}"}, "template_invalid"),
        ({"text": "{{ ''.__class__ }}"}, "template_invalid"),
        ({"text": "{{ shoe }}"}, "template_invalid"),
        ({"html": "<p>" + "a" * 2_000_000 + "</p>"}, "content_too_large"),
        ({"charset": "iso-2022-jp", "subject": "①"}, "characters_lacking"),
        (
            {"attachments": [{"name": "../a", "media_type": "a/b", "data": ""}]},
            "attachment_invalid",
        ),
        ({"segment": "nothing"}, "unknown_reference"),
        ({"topic": "nothing"}, "unknown_reference"),
        ({"failed_of": "5"}, "unknown_reference"),
        ({"name": "a\nb"}, "invalid_field"),
        ({"at": "2001-01-01T00:00:00Z"}, "invalid_field"),
    ],
)
def test_an_unfit_draft_is_refused_by_name(
    world: World, changed: dict[str, Any], reason: str
) -> None:
    """What of it is unfit, the detail tells."""
    refused = draft(world, **changed)
    assert (400 <= refused.status < 500, refused.reason) == (True, reason)


def test_a_draft_is_rewritten_until_it_is_scheduled(world: World) -> None:
    """As a whole."""
    path = f"/mail-campaigns/{given_campaign(world).id}"
    assert manage(world, "PUT", path, PLAN | {"name": "冬"}).json["name"] == "冬"
    assert manage(world, "POST", f"{path}/schedule").json["state"] == "scheduled"
    refused = manage(world, "PUT", path, PLAN)
    assert (refused.status, refused.reason) == (409, "campaign_state")
    refused = manage(world, "POST", f"{path}/schedule")
    assert refused.json["detail"] == "a campaign that is scheduled cannot be scheduled"
    assert manage(world, "POST", f"{path}/unschedule").json["state"] == "draft"


def test_what_the_law_wants_shown_is_checked_before_it_is_scheduled(world: World) -> None:
    """The detail names what is missing where."""
    path = f"/mail-campaigns/{given_campaign(world, footer=None).id}"
    refused = manage(world, "POST", f"{path}/schedule")
    assert (refused.status, refused.reason) == (422, "display_item_missing")
    assert "text: " in refused.json["detail"]


def test_items_that_a_class_hides_are_told_before_it_is_scheduled(world: World) -> None:
    """The style is put into the elements for it; the draft itself is still looked at."""
    html = "<style>div{display:none}</style><p>x</p>"  # the footer is a div
    campaign = given_campaign(world, html=html)
    path = f"/mail-campaigns/{campaign.id}"
    refused = manage(world, "POST", f"{path}/schedule")
    assert (refused.status, refused.reason) == (422, "display_item_missing")
    assert "its style hides" in refused.json["detail"]
    assert manage(world, "GET", path).json["campaign"]["state"] == "draft"


def test_content_is_never_checked_while_the_writer_is_held(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A draft that takes long to read holds nobody else's write."""
    threads: list[str] = []
    real = content_module.check_content

    def checking(*args: Any) -> Any:
        threads.append(threading.current_thread().name)
        return real(*args)

    monkeypatch.setattr(content_module, "check_content", checking)
    made = draft(world)
    path = f"/mail-campaigns/{made.json['id']}"
    assert manage(world, "PUT", path, PLAN).status == 200
    assert manage(world, "GET", path).status == 200
    assert manage(world, "POST", f"{path}/schedule").status == 200
    assert len(threads) == 4
    assert all(name.startswith("asyncio_") for name in threads)  # those of asyncio.to_thread


def test_r130_a_list_that_nobody_confirmed_does_not_send(world: World) -> None:
    """Nor one whose domains were not checked."""
    campaign = given_campaign(world)
    for table, reason in (
        ("mail_confirmations", "law_unconfirmed"),
        ("mail_checks", "mail_unchecked"),
    ):
        world.engine.rows(f"DELETE FROM {table} WHERE list = '{PREPAID.id}' RETURNING list")
        refused = manage(world, "POST", f"/mail-campaigns/{campaign.id}/schedule")
        assert (refused.status, refused.reason) == (409, reason)
        given_lists(world)


def test_a_campaign_is_halted_and_goes_on(world: World) -> None:
    """The senders of this process hear of it before the answer; a repeat is as once."""
    path = f"/mail-campaigns/{given_campaign(world, 'sending').id}"
    CHANGED.clear()
    assert manage(world, "POST", f"{path}/pause").json["reason"] == "person"
    assert manage(world, "POST", f"{path}/resume").json["state"] == "fixing"
    key = {"Idempotency-Key": "cancel-1"}
    first = manage(world, "POST", f"{path}/cancel", headers=key)
    assert manage(world, "POST", f"{path}/cancel", headers=key).body == first.body
    assert [campaign.state for campaign in CHANGED] == ["paused", "fixing", "canceled"]
    refused = manage(world, "POST", f"{path}/resume")
    assert (refused.status, refused.reason) == (409, "campaign_state")


def test_a_message_is_composed_for_somebody_to_look_at(world: World) -> None:
    """For a recipient, or with values; nothing of it can be followed to stop anybody."""
    recipient = given_recipient(world, attributes={"name": "<太郎>"})
    path = f"/mail-campaigns/{given_campaign(world).id}/preview"
    found = manage(world, "POST", path, {"recipient": str(recipient.id)}).json
    assert found["subject"] == "<太郎>様へ"
    assert "&lt;太郎&gt;様" in found["html"]
    assert "https://acme.example/autumn" in found["text"]
    assert "https://gw.example.jp/u/preview" in found["text"]
    assert PREPAID.sender_address in found["text"]
    assert found["size"] > len(found["text"].encode())
    assert manage(world, "POST", path, {}).json["subject"] == "お客様へ"
    values = {"recipient": str(recipient.id), "values": {"name": "花子"}}
    assert manage(world, "POST", path, values).json["subject"] == "花子様へ"
    refused = manage(world, "POST", path, {"recipient": "5"})
    assert (refused.status, refused.reason) == (422, "unknown_reference")


def test_a_preview_names_what_scheduling_would_refuse(world: World) -> None:
    """So that nobody believes that a message is ready which lacks what the law wants shown."""
    campaign = given_campaign(world, footer=None, html=None)
    path = f"/mail-campaigns/{campaign.id}"
    problems = manage(world, "POST", f"{path}/preview", {}).json["problems"]
    assert {(each["where"], each["reason"]) for each in problems} == {
        ("text", "display_item_missing")
    }
    refused = manage(world, "POST", f"{path}/schedule")
    assert all(each["detail"] in refused.json["detail"] for each in problems)
    ready = f"/mail-campaigns/{given_campaign(world).id}/preview"
    assert manage(world, "POST", ready, {}).json["problems"] == []


def test_a_campaign_without_a_topic_is_warned_of_where_its_list_has_some(world: World) -> None:
    """A stop of a topic does nothing for it; it may be meant, and so is not refused."""
    made = draft(world).json
    path = f"/mail-campaigns/{made['id']}"
    (warning,) = made["warnings"]
    assert warning.startswith("topic: ")
    assert manage(world, "POST", f"{path}/preview", {}).json["warnings"] == [warning]
    scheduled = manage(world, "POST", f"{path}/schedule")
    assert (scheduled.status, scheduled.json["warnings"]) == (200, [warning])
    assert draft(world, topic="sale").json["warnings"] == []


@pytest.mark.parametrize("whose", [None, "acme"])
def test_it_is_told_that_sends_are_halted(world: World, whose: str | None) -> None:
    """Of a campaign and of its list, as long as `stop-sends` holds them."""
    paths = (f"/mail-campaigns/{given_campaign(world).id}", f"/mail-lists/{PREPAID.id}")

    def told() -> list[bool]:
        return [manage(world, "GET", path).json["halted"] for path in paths]

    assert told() == [False, False]
    do(world, lambda tx: tx.outbox.stops.stop(EVERYBODY, "media-y", world.now, "me"))
    assert told() == [False, False]
    do(world, lambda tx: tx.outbox.stops.stop(EVERYBODY, whose or "*", world.now, "me"))
    assert told() == [True, True]
    do(world, lambda tx: tx.outbox.stops.resume(EVERYBODY, whose or "*"))
    assert told() == [False, False]
    do(world, lambda tx: tx.outbox.stops.resume(EVERYBODY, "media-y"))


def test_r083_nobody_of_a_postpaid_list_is_shown_in_a_preview(world: World) -> None:
    """Only values that are given."""
    recipient = given_recipient(world, POSTPAID.id, attributes={"name": "秘密太郎"})
    path = f"/mail-campaigns/{given_campaign(world, list_=POSTPAID.id).id}/preview"
    refused = manage(world, "POST", path, {"recipient": str(recipient.id)})
    assert (refused.status, refused.reason) == (403, "export_forbidden")
    assert manage(world, "POST", path, {"values": {"name": "花子"}}).json["subject"] == "花子様へ"


def test_a_message_that_cannot_be_made_is_refused_in_the_preview(world: World) -> None:
    """A value that is missing, or that the character set lacks."""
    path = f"/mail-campaigns/{given_campaign(world, subject='{{ pref }}').id}/preview"
    assert manage(world, "POST", path, {}).reason == "value_missing"
    campaign = given_campaign(world, charset="iso-2022-jp", html=None)
    path = f"/mail-campaigns/{campaign.id}/preview"
    assert manage(world, "POST", path, {"values": {"name": "😀"}}).reason == "value_unwritable"


def test_a_message_is_tried_out_on_a_few_addresses(world: World) -> None:
    """Each once, by the outbox; what cannot be made is refused at once, and who stopped the list
    gets no trial of it.
    """
    campaign = given_campaign(world)
    path = f"/mail-campaigns/{campaign.id}/trial"
    body = {"addresses": ["a@acme.example", "b@acme.example", "A@acme.example"]}
    done = manage(world, "POST", path, body | {"values": {"name": "試"}})
    assert (done.status, done.json["addresses"]) == (202, 2)
    rows = world.engine.rows(
        f"SELECT payload FROM outbox WHERE kind = 'mail.test' AND origin = 'mail:{campaign.id}'"
    )
    sent = [json.loads(row[0]) for row in rows]
    assert [each["address"] for each in sent] == ["A@acme.example", "b@acme.example"]
    assert sent[0]["values"] == {"name": "試"}
    six = {"addresses": [f"a{number}@acme.example" for number in range(6)]}
    assert manage(world, "POST", path, six).reason == "invalid_field"
    lacking = f"/mail-campaigns/{given_campaign(world, subject='{{ pref }}').id}/trial"
    assert manage(world, "POST", lacking, body).reason == "value_missing"
    assert manage(world, "POST", path, {"addresses": ["no"]}).reason == "address_invalid"
    stop = {"address": "stop@acme.example"}
    manage(world, "POST", f"/mail-lists/{PREPAID.id}/stops", stop)
    refused = manage(world, "POST", path, {"addresses": ["a@acme.example", "stop@acme.example"]})
    assert (refused.status, refused.reason) == (409, "recipient_stopped")


def test_trials_are_bounded_and_halted(world: World) -> None:
    """Each refusal has its name; a repeat under its key counts once."""
    path = f"/mail-campaigns/{given_campaign(world, list_=POSTPAID.id).id}/trial"
    for number in range(0, MOST_A_DAY, MOST):
        body = {"addresses": [f"t{number + each}@acme.example" for each in range(MOST)]}
        for _ in range(2):
            key = {"Idempotency-Key": f"trial-{number}"}
            assert manage(world, "POST", path, body, headers=key).status == 202
    one = {"addresses": ["one@acme.example"]}
    refused = manage(world, "POST", path, one)
    assert (refused.status, refused.reason) == (429, "too_many_trials")
    world.run(outbox.stop, outbox.Stop("acme", world.now, "clerk"))
    refused = manage(world, "POST", path, one)
    assert (refused.status, refused.reason) == (409, "sends_halted")
    world.run(outbox.stop, outbox.Stop("acme", world.now, "clerk", resume=True))


def sent(world: World, list_: str) -> tuple[Campaign, int]:
    """A campaign of which one mail bounced, and one is in doubt."""
    people = [given_recipient(world, list_).id for _ in range(2)]
    campaign = given_campaign(world, "sending", list_)
    said = without_addresses("550 5.1.1 <secret.person@docomo.ne.jp>... unknown")

    def happen(tx: Transaction) -> None:
        rows = [(id_, "docomo", world.now) for id_ in people]
        tx.campaigns.sends.fix(EVERYBODY, campaign, rows)
        tx.campaigns.sends.claim(EVERYBODY, campaign.id, "docomo", world.now, 9, 1)
        results = (
            Result(campaign.id, people[0], "sent", world.now, code=250, text="ok"),
            Result(campaign.id, people[1], "held", world.now),
        )
        tx.campaigns.sends.settle(EVERYBODY, results)
        log = Bounce(
            world.id(),
            "acme",
            list_,
            campaign.id,
            people[0],
            world.now,
            "report",
            "user_unknown",
            "failed",
            0,
            "5.1.1",
            said,
        )
        tx.campaigns.bounces.add(EVERYBODY, (log,))
        counts = {"bounced:user_unknown": 1, "open": 3, "openers": 1, "click": 2, "clickers": 1}
        tx.campaigns.figures.add(EVERYBODY, campaign.id, counts)

    do(world, happen)
    return campaign, people[1]


@pytest.mark.parametrize("path", ["/mail-campaigns", "/mail-bounces"])
def test_lists_are_told_the_newest_first_where_that_is_asked_for(world: World, path: str) -> None:
    """Page by page: the same rows as the oldest first, the other way round."""
    for _ in range(3):
        sent(world, PREPAID.id)

    def ids(order: str, limit: int) -> list[str]:
        page = manage(world, "GET", f"{path}?limit={limit}{order}").json
        found = [item["id"] for item in page["items"]]
        while page["next"]:
            query = f"?limit={limit}{order}&cursor={page['next']}"
            page = manage(world, "GET", path + query).json
            found += [item["id"] for item in page["items"]]
        return found

    up = ids("", 500)
    assert len(up) >= 3
    assert up == sorted(up, key=int) == ids("&order=asc", 2)
    assert ids("&order=desc", 2) == up[::-1]


def test_figures_tell_what_became_of_a_campaign(world: World) -> None:
    """Delivered is sent less bounced; openings are named for what they are."""
    campaign, _ = sent(world, PREPAID.id)
    found = manage(world, "GET", f"/mail-campaigns/{campaign.id}/figures").json
    assert (found["sent"], found["bounced"], found["delivered"], found["held"]) == (1, 1, 0, 1)
    assert found["bounced_by_class"] == {"user_unknown": 1}
    assert (found["opens_unreliable"], found["openers_unreliable"]) == (3, 1)
    assert (found["clicks"], found["clickers"]) == (2, 1)
    assert not [name for name in found if name.startswith("open") and "unreliable" not in name]


def test_mails_in_doubt_are_listed_and_settled_by_a_person(world: World) -> None:
    """They are held until then."""
    campaign, recipient = sent(world, PREPAID.id)
    path = f"/mail-campaigns/{campaign.id}"
    (held,) = manage(world, "GET", f"{path}/sends?state=held").json["items"]
    assert held["recipient"] == str(recipient)
    assert len(manage(world, "GET", f"{path}/sends").json["items"]) == 2
    assert manage(world, "POST", f"{path}/doubts", {"to": "drop"}).json == {"settled": 1}
    assert manage(world, "POST", f"{path}/doubts", {"to": "drop"}).json == {"settled": 0}
    (failed,) = manage(world, "GET", f"{path}/sends?state=failed").json["items"]
    assert failed["recipient"] == str(recipient)


@pytest.mark.parametrize("list_", [PREPAID.id, POSTPAID.id])
def test_r083_failures_are_masked_under_the_postpaid_contract(world: World, list_: str) -> None:
    """What a server said is kept without the address that it likes to quote, for everybody."""
    campaign, _ = sent(world, list_)
    is_shown = list_ == PREPAID.id
    bounces = manage(world, "GET", f"/mail-bounces?campaign={campaign.id}")
    (item,) = bounces.json["items"]
    assert (item["bounce_class"], item["status"]) == ("user_unknown", "5.1.1")
    assert b"secret.person" not in bounces.body
    assert item["text"] == "550 5.1.1 <s***@d***.jp>... unknown"
    sends = manage(world, "GET", f"/mail-campaigns/{campaign.id}/sends")
    for (shown,) in (bounces.json["items"], sends.json["items"][:1]):
        assert ("***@" in shown["address"]) is not is_shown


def test_the_same_goes_to_those_whom_it_did_not_reach(world: World) -> None:
    """As a draft, once the campaign is over."""
    refused = manage(
        world,
        "POST",
        f"/mail-campaigns/{given_campaign(world, 'sending').id}/resend",
        {"name": "again"},
    )
    assert refused.reason == "campaign_state"
    over = given_campaign(world, "done")
    made = manage(world, "POST", f"/mail-campaigns/{over.id}/resend", {"name": "again"})
    assert (made.status, made.json["failed_of"]) == (201, str(over.id))
    assert (made.json["state"], made.json["missed"]) == ("draft", 0)
