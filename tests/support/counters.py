"""What the store itself says of each metric, and what nothing but the metric says.

Every metric of the registry is in one of the tables below; a test holds them complete. ``STORE``
has SQL for each: a row is an advertiser, the values of the other labels in their order, and the
figure. What no row tells of is 0.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from gateway.domain.calls import fold
from gateway.ports import CallRecord
from metrics.registry import BY_NAME

Key = tuple[str, ...]
"""A metric, an advertiser, and the values of the other labels in their order."""

_LATE = "EXISTS (SELECT 1 FROM call_events e WHERE e.call_id = c.id AND e.received_at > settled_at)"
_SETTLED = f"FROM calls c WHERE settled_at IS NOT NULL AND NOT {_LATE} GROUP BY 1"

_MESSAGES = "'line.reply', 'line.push', 'line.multicast', 'line.narrowcast', 'line.broadcast'"
_NEVER_SENT = "'expired', 'token', 'limited', 'unauthorized', 'unreached'"

STORE: Mapping[str, str] = {
    # What came after a call was settled changes it, and no counter: see `late`.
    "calls_total": f"SELECT advertiser, result, COUNT(*) {_SETTLED}, 2",
    "call_ring_seconds_total": f"SELECT advertiser, SUM(COALESCE(ring_seconds, 0)) {_SETTLED}",
    "call_talk_seconds_total": f"SELECT advertiser, SUM(COALESCE(talk_seconds, 0)) {_SETTLED}",
    "call_outcomes_total": f"SELECT advertiser, outcome, COUNT(*) {_SETTLED}, 2",
    "line_events_total": "SELECT advertiser, kind, COUNT(*) FROM line_events GROUP BY 1, 2",
    "line_messages_total": f"""
        SELECT advertiser, substr(kind, 6),
            CASE WHEN state = 'done' THEN 'sent'
                WHEN state = 'unknown' THEN 'unknown'
                WHEN last_error = 'over_quota' THEN 'over_quota'
                WHEN last_error IN ({_NEVER_SENT}) THEN 'expired'
                ELSE 'refused' END,
            SUM(CASE WHEN kind = 'line.multicast' THEN json_array_length(payload, '$.to')
                ELSE COALESCE(json_extract(payload, '$.recipients'), 1) END)
        FROM outbox WHERE kind IN ({_MESSAGES}) AND state IN ('done', 'dead', 'unknown')
            AND COALESCE(last_error, '') <> 'fault'
        GROUP BY 1, 2, 3""",
    "coupons_total": """
        SELECT advertiser, CASE state WHEN 'lost' THEN 'lost' ELSE 'issued' END, COUNT(*)
            FROM coupon_tickets GROUP BY 1, 2
        UNION ALL SELECT advertiser, 'used', COUNT(*) FROM coupon_uses GROUP BY 1
        UNION ALL SELECT advertiser, 'used', COUNT(*) FROM audit
            WHERE action = 'coupon.undone' GROUP BY 1
        UNION ALL SELECT advertiser, substr(action, 8), COUNT(*) FROM audit
            WHERE action IN ('coupon.undone', 'coupon.voided') GROUP BY 1, 2
        UNION ALL SELECT advertiser, 'expired', COUNT(*) FROM coupon_tickets
            WHERE state = 'expired' GROUP BY 1""",
    "line_menus_total": """
        SELECT advertiser, CASE state WHEN 'failed' THEN 'refused' ELSE 'created' END, COUNT(*)
        FROM menus_platform GROUP BY 1, 2""",
    "line_forwards_total": """
        SELECT advertiser,
            CASE WHEN state = 'done' THEN 'sent'
                WHEN last_error IN ('taken_back', 'not_approved_any_more') THEN 'withdrawn'
                WHEN last_error LIKE 'http_4%' OR last_error = 'address' THEN 'refused'
                ELSE 'expired' END,
            COUNT(*)
        FROM outbox WHERE kind = 'line.forward' AND state IN ('done', 'dead') GROUP BY 1, 2""",
    "card_points_total": "SELECT advertiser, how, SUM(ABS(points)) FROM card_points GROUP BY 1, 2",
    "cards_total": """
        SELECT advertiser, CASE number WHEN 1 THEN 'started' ELSE 'handed_on' END, COUNT(*)
            FROM cards GROUP BY 1, 2
        UNION ALL SELECT advertiser, 'filled', COUNT(*) FROM cards WHERE full_at > 0 GROUP BY 1
        UNION ALL SELECT advertiser, 'expired', COUNT(*) FROM cards
            WHERE state = 'expired' GROUP BY 1""",
    "card_refusals_total": """
        SELECT advertiser, 'pin_wrong', SUM(wrong) FROM card_tries
        WHERE user = '' AND card NOT LIKE 'coupons/%' GROUP BY 1""",
    "line_pushes_total": """
        SELECT advertiser, state, COUNT(*) FROM pushes
        WHERE state IN ('done', 'cancelled', 'halted', 'failed') GROUP BY 1, 2""",
    "link_clicks_total": """
        SELECT advertiser, 'person', COUNT(*) FROM link_clicks GROUP BY 1
        UNION ALL SELECT advertiser, 'bot', SUM(bots) FROM link_days GROUP BY 1""",
    "mail_responses_total": """
        SELECT advertiser, f.name, SUM(amount) FROM mail_figures f
        JOIN mail_campaigns c ON c.id = f.campaign
        WHERE f.name IN ('click', 'open') GROUP BY 1, 2""",
    "mail_signups_total": """
        SELECT advertiser, 'confirmed', COUNT(*) FROM mail_signups
            WHERE state = 'confirmed' GROUP BY 1
        UNION ALL SELECT advertiser, 'asked', COUNT(*) FROM mail_signups
            WHERE address <> '' GROUP BY 1""",
    "survey_answers_total": """
        SELECT advertiser, 'offered', COUNT(*) FROM survey_sessions GROUP BY 1
        UNION ALL SELECT advertiser, 'answered', COUNT(*) FROM survey_sessions
            WHERE state = 'done' GROUP BY 1""",
    "line_contents_total": """
        SELECT advertiser, 'kept', COUNT(*) FROM line_contents WHERE fetched_at > 0 GROUP BY 1
        UNION ALL SELECT advertiser, 'removed', COUNT(*) FROM line_contents
            WHERE fetched_at > 0 AND state IN ('removing', 'gone') GROUP BY 1
        UNION ALL SELECT advertiser, why, COUNT(*) FROM line_contents
            WHERE why IN ('too_large', 'missing') GROUP BY 1, 2""",
    # Mails in doubt that were counted as failed by a campaign's policy are no attempt's.
    "mail_messages_total": """
        SELECT advertiser, s.state, COUNT(*) FROM mail_sends s
            JOIN mail_campaigns c ON c.id = s.campaign
            WHERE s.state IN ('sent', 'failed') AND s.class <> 'in_doubt' GROUP BY 1, 2
        UNION ALL SELECT advertiser, 'deferred', SUM(attempts - 1) FROM mail_sends s
            JOIN mail_campaigns c ON c.id = s.campaign
            WHERE s.state IN ('sent', 'failed', 'held') GROUP BY 1
        UNION ALL SELECT advertiser, s.state, COUNT(*) FROM mail_sends s
            JOIN mail_campaigns c ON c.id = s.campaign
            WHERE s.state IN ('suppressed', 'canceled') AND settled_at > 0 GROUP BY 1, 2""",
    "mail_bounces_total": """
        SELECT advertiser, class, COUNT(*) FROM mail_bounces
        WHERE action NOT IN ('delayed', 'delivered', 'relayed') GROUP BY 1, 2""",
    # Not the table of sizes, which is added up itself.
    "mail_recipients": """
        SELECT advertiser, COUNT(DISTINCT contract || '/' || hex(hash)) FROM mail_recipients r
        WHERE state IN ('active', 'paused') AND NOT EXISTS (
            SELECT 1 FROM mail_suppressions s
            WHERE s.advertiser = r.advertiser AND s.hash = r.hash
                AND s.list IN ('', r.list) AND s.topic = '')
        GROUP BY 1""",
    # One that was cancelled before it began has nothing to settle.
    "mail_campaigns_total": """
        SELECT advertiser, state, COUNT(*) FROM mail_campaigns
            WHERE settled_at > 0 OR (state = 'canceled' AND started_at = 0) GROUP BY 1, 2
        UNION ALL SELECT advertiser,
            CASE reason WHEN 'bounces' THEN 'paused_for_bounces'
                WHEN 'unwritable' THEN 'paused_for_unwritable'
                WHEN 'content' THEN 'paused_for_fault'
                WHEN 'check' THEN 'paused_for_check' END,
            COUNT(*) FROM mail_campaigns WHERE state = 'paused' AND reason <> '' GROUP BY 1, 2""",
    # --- of the process ---
    "calls_in_progress": "SELECT COUNT(*) FROM calls WHERE state <> 'ended'",
    "call_notes_total": """
        SELECT 'withheld_caller', COUNT(*) FROM calls WHERE caller IS NULL
        UNION ALL SELECT 'swept', COUNT(*) FROM call_events WHERE kind = 'sweep'
        UNION ALL SELECT 'late_event', COUNT(*) FROM calls c
            JOIN call_events e ON e.call_id = c.id WHERE e.received_at > c.settled_at
        UNION ALL SELECT 'unknown_call', COUNT(*) FROM unknown_calls
        UNION ALL SELECT 'events_adopted', COUNT(DISTINCT v.call_id) FROM call_events v
            JOIN call_events e ON e.call_id = v.call_id AND e.received_at < v.received_at
            WHERE v.kind = 'voice'""",
    "outbox_pending": """
        SELECT kind, COUNT(*) FROM outbox WHERE state IN ('waiting', 'leased') GROUP BY 1""",
    "advertisers": "SELECT COUNT(*) FROM advertisers WHERE NOT removed",
}

NET: Mapping[str, tuple[str, str, str]] = {
    # The store keeps how things stand, not each change: one counter less the other.
    "line_tags_total": (
        "added",
        "removed",
        "SELECT advertiser, COUNT(*) FROM friend_tags GROUP BY 1",
    ),
}

NOT_KEPT: Mapping[str, Mapping[str, str]] = {
    # metric: the value of its last label, and why the store cannot tell
    "line_notes_total": {"*": "what was unusual in a webhook is in its text alone"},
    "coupons_total": {
        "refused": "who got nothing leaves nothing",
        "put_off": "the next attempt overwrites when it is due",
    },
    "mail_messages_total": {"held": "a bounce, a person or a policy decides of it later"},
    "line_menus_total": {
        "deleted": "what is gone from the platform is gone from the store",
        "put_off": "the next look overwrites it",
    },
    "line_forwards_total": {"retried": "attempts that wait for a place count, too"},
    "card_refusals_total": {
        reason: "a scan that gave nothing leaves nothing, but wrong PINs, which are bounded by it"
        for reason in BY_NAME["card_refusals_total"].labels["reason"]
        if reason != "pin_wrong"
    },
    "link_clicks_total": {"unrecorded": "says itself that it is kept nowhere"},
    "mail_responses_total": {
        "bot": "programs do not count in a campaign's figures",
        "unrecorded": "says itself that it is kept nowhere",
    },
    "mail_signups_total": {
        "already": "kept as a sign-up that was dropped, as `stopped` is",
        "stopped": "see `already`",
        "limited_address": "a bound that writes would be none",
        "limited_network": "see `limited_address`",
        "limited_list": "see `limited_address`",
    },
    "survey_answers_total": {"refused": "what was refused leaves nothing"},
    "put_aside_total": {"*": "the log tells of it"},
    "sims": {"*": "no SIM is kept yet"},
    "billed_yen_total": {"*": "nothing is charged yet"},
    "call_notes_total": {"unknown_status": "it is a status among others"},
}

OF_THE_PROCESS: Mapping[str, str] = {
    # metric: what it is held against instead, or why there is nothing
    "webhooks_total": "what the simulated platforms posted, and were answered",
    "webhook_seconds": "its count is that of webhooks_total",
    "refusals_total": "what the test posts amiss",
    "spool_events_total": "spool_replayed_total",
    "spool_replayed_total": "spool_events_total",
    "store_batch_size": "its count is that of store_commit_seconds",
    "store_commit_seconds": "its count is that of store_batch_size",
    "ready": "/readyz",
    **dict.fromkeys(
        (
            "store_up",
            "store_queue_units",
            "store_queue_oldest_seconds",
            "store_last_commit_timestamp_seconds",
            "route_cache_age_seconds",
            "spool_bytes",
            "spool_capacity_bytes",
            "spool_oldest_seconds",
            "spool_dead_records",
            "outbox_oldest_seconds",
            "mail_in_hand",
            "mail_relay_failures",
            "advertisers_left_out_total",
            "observer_faults_total",
        ),
        "the process alone knows; its own tests hold it against what they made happen",
    ),
    **dict.fromkeys(
        (
            "loop_lag_seconds",
            "disk_free_bytes",
            "disk_size_bytes",
            "certificate_expiry_timestamp_seconds",
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_open_fds",
            "process_max_fds",
            "process_start_time_seconds",
            "build_info",
        ),
        "the machine's, or the world's",
    ),
    **dict.fromkeys(
        ("reconciliation_difference", "reconciliation_timestamp_seconds"),
        "the carrier's own list",
    ),
}


def told(rows_of: Mapping[str, Sequence[Any]], records: Sequence[CallRecord]) -> dict[Key, int]:
    """What the store says: ``rows_of`` each metric of :data:`STORE`, and of calls to which
    something came late, as they stood when they were settled.
    """
    figures: dict[Key, int] = {}

    def add(amount: int, *key: str) -> None:
        figures[key] = figures.get(key, 0) + amount

    for metric, rows in rows_of.items():
        for *labels, amount in rows:
            add(int(amount or 0), metric, *labels)
    for record in records:
        settled_at = record.call.settled_at
        heard = [e for e in record.events if settled_at is None or e.received_at <= settled_at]
        if settled_at is None or len(heard) == len(record.events):
            continue
        call = fold(record.call, heard)
        who = call.advertiser
        add(1, "calls_total", who, call.result or "")
        add(call.ring_seconds or 0, "call_ring_seconds_total", who)
        add(call.talk_seconds or 0, "call_talk_seconds_total", who)
        add(1, "call_outcomes_total", who, call.outcome)
    return figures


def series(metric: str, advertisers: Sequence[str]) -> list[Key]:
    """Every series of a metric whose labels are closed."""
    labels = BY_NAME[metric].labels
    values = [advertisers if name == "advertiser" else closed for name, closed in labels.items()]
    return [(metric, *each) for each in product(*values)]


def is_kept(key: Key) -> bool:
    """Whether the store tells of a series."""
    reasons = NOT_KEPT.get(key[0], {})
    return key[0] in STORE and "*" not in reasons and key[-1] not in reasons
