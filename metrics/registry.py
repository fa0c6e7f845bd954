"""Every metric in one table. Exposition, the page ``docs/metrics.md`` and the tests come from it.

A counter's label has a closed set of values, taken from the type that the rest of the code uses,
so that each series stands at 0 before its first event: Prometheus's ``rate`` does not see a step
from nothing to 1. (Prometheus documentation, "Instrumentation: avoid missing metrics".)
"""

from typing import get_args, get_type_hints

from gateway.domain.calls import Noted, Outcome, Result
from gateway.domain.cards import REFUSALS as CARD_REFUSALS
from gateway.domain.cards import Action as CardAction
from gateway.domain.cards import How as CardHow
from gateway.domain.coupons.tickets import ACTIONS
from gateway.domain.line.contents import Result as ContentResult
from gateway.domain.line.events import Kind as EventKind
from gateway.domain.line.events import Note as EventNote
from gateway.domain.line.forwarding import Result as ForwardResult
from gateway.domain.line.sending import Kind as SendKind
from gateway.domain.line.sending import Result as SendResult
from gateway.domain.links import Visitor
from gateway.domain.mail.campaigns import CampaignResult
from gateway.domain.mail.returns.bounces import BounceClass
from gateway.domain.mail.signups import Asked
from gateway.domain.surveys import Result as SurveyResult
from gateway.errors import Refusal, Trouble
from metrics.metric import Metric

SERVICES = ("calls", "line", "mail", "sim")
"""What is charged for."""

SIM_STATES = ("ready", "active", "inactive", "standby", "suspended", "terminated")
"""SORACOM's names of a SIM's states, into which those of other platforms are put."""

STATUSES = (200, 400, 403, 404, 405, 408, 413, 500, 503)
"""The HTTP statuses that a known route shows from its start; another is added when it occurs."""


_REFUSALS, _TROUBLES = tuple(Refusal), tuple(Trouble)
_NOTES: tuple[str, ...] = get_args(get_type_hints(Noted)["what"])
_RESULTS: tuple[str, ...] = get_args(Result)
_BOUNCES = tuple(name for name in get_args(BounceClass) if name != "not_a_bounce")
_OUTCOMES: tuple[str, ...] = get_args(Outcome)
_CAMPAIGNS: tuple[str, ...] = get_args(CampaignResult)

_ROUTE: dict[str, tuple[str, ...]] = {"provider": (), "route": ()}
_ADVERTISER: dict[str, tuple[str, ...]] = {"advertiser": ()}

# 2 s is the promise for a forwarded call, so it is a bound.
_ANSWER_BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_COMMIT_BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
_BATCH_BOUNDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0)
_LAG_BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)

METRICS = (
    # --- the HTTP edge ---
    Metric(
        "webhook_seconds",
        "histogram",
        "Time from the receipt of a webhook to its answer.",
        _ROUTE,
        unit="seconds",
        buckets=_ANSWER_BOUNDS,
    ),
    Metric(
        "webhooks_total",
        "counter",
        "Webhooks answered, by HTTP status.",
        _ROUTE | {"status": tuple(str(status) for status in STATUSES)},
    ),
    Metric(
        "refusals_total",
        "counter",
        "Requests refused as the caller's fault, by reason.",
        _ROUTE | {"reason": _REFUSALS},
    ),
    Metric("ready", "gauge", "1 while the process takes calls, degraded or not; 0 in drain."),
    Metric(
        "loop_lag_seconds",
        "histogram",
        "How late the event loop woke a timer, sampled ten times a second.",
        unit="seconds",
        buckets=_LAG_BOUNDS,
    ),
    # --- the store ---
    Metric("store_up", "gauge", "1 while the store takes transactions, 0 while it fails."),
    Metric(
        "store_commit_seconds",
        "histogram",
        "Time of one transaction, from its begin to its commit on disk.",
        unit="seconds",
        buckets=_COMMIT_BOUNDS,
    ),
    Metric(
        "store_batch_size",
        "histogram",
        "Units that one transaction carried.",
        unit="units",
        buckets=_BATCH_BOUNDS,
    ),
    Metric(
        "store_last_commit_timestamp_seconds",
        "gauge",
        "When a transaction was committed last; absent before the first.",
        unit="seconds since 1970",
    ),
    Metric("store_queue_units", "gauge", "Units waiting for the writer.", unit="units"),
    Metric(
        "store_queue_oldest_seconds",
        "gauge",
        "Age of the unit that has waited longest for the writer; 0 where none waits.",
        unit="seconds",
    ),
    Metric(
        "route_cache_age_seconds",
        "gauge",
        "Time since the route cache was last found equal to the store.",
        unit="seconds",
    ),
    # --- calls ---
    Metric("calls_in_progress", "gauge", "Calls that have not ended.", unit="calls"),
    Metric(
        "call_notes_total",
        "counter",
        "Unusual things kept of calls, by what they were.",
        {"what": _NOTES},
    ),
    # --- while the store fails ---
    Metric(
        "spool_events_total",
        "counter",
        "Events that went to the spool, by the trouble that sent them there.",
        _ROUTE | {"reason": _TROUBLES},
    ),
    Metric("spool_replayed_total", "counter", "Spooled events that reached the store later."),
    Metric("spool_bytes", "gauge", "Bytes of the spool that wait for the store.", unit="bytes"),
    Metric("spool_capacity_bytes", "gauge", "Bytes reserved for the spool.", unit="bytes"),
    Metric(
        "spool_oldest_seconds",
        "gauge",
        "Age of the oldest event in the spool; 0 where it is empty.",
        unit="seconds",
    ),
    Metric(
        "spool_dead_records",
        "gauge",
        "Spooled events that failed five times and wait for a person.",
        unit="events",
    ),
    # --- effects ---
    Metric(
        "outbox_pending",
        "gauge",
        "Effects waiting to be delivered, by kind; counted up to 100,000 of each.",
        {"kind": ()},
        unit="effects",
    ),
    Metric(
        "outbox_oldest_seconds",
        "gauge",
        "Age of the oldest effect that is due, by kind.",
        {"kind": ()},
        unit="seconds",
    ),
    # --- mail on its way ---
    Metric(
        "mail_in_hand",
        "gauge",
        "Mails that this process has claimed and not settled yet.",
        unit="messages",
    ),
    Metric(
        "mail_relay_failures",
        "gauge",
        "Connections to a relay in a row that came to nothing; 0 while it answers.",
        {"relay": ()},
    ),
    # --- what it stands on ---
    Metric(
        "disk_free_bytes",
        "gauge",
        "Space left to the gateway where a folder lies; database: where SQLite's file is.",
        {"folder": ("state", "database")},
        unit="bytes",
    ),
    Metric(
        "disk_size_bytes",
        "gauge",
        "Space in all where a folder lies.",
        {"folder": ("state", "database")},
        unit="bytes",
    ),
    Metric(
        "certificate_expiry_timestamp_seconds",
        "gauge",
        "When the certificate of a server of [metrics] certificates_of ends; 0: it was never read.",
        {"server": ()},
        unit="seconds since 1970",
    ),
    Metric(
        "reconciliation_difference",
        "gauge",
        "Calls of yesterday and today that the carrier's own list tells otherwise: not in the "
        "store, not in the list, or of another length.",
        {"what": ("missing_here", "missing_there", "different")},
        unit="calls",
    ),
    Metric(
        "reconciliation_timestamp_seconds",
        "gauge",
        "When calls were last compared with the carrier's list, or the process began to.",
        unit="seconds since 1970",
    ),
    # --- the page of advertisers ---
    Metric("advertisers", "gauge", "Advertisers whose figures are kept.", unit="advertisers"),
    Metric(
        "advertisers_left_out_total",
        "counter",
        "Advertisers that scrapes left out, each scrape anew: there are more than [metrics] "
        "max_advertisers.",
    ),
    # --- the process ---
    Metric("process_cpu_seconds_total", "counter", "Time on a processor.", unit="seconds"),
    Metric("process_resident_memory_bytes", "gauge", "Memory held.", unit="bytes"),
    Metric("process_virtual_memory_bytes", "gauge", "Memory asked for.", unit="bytes"),
    Metric("process_open_fds", "gauge", "Files and connections open.", unit="fds"),
    Metric("process_max_fds", "gauge", "As many of them as may be.", unit="fds"),
    Metric(
        "process_start_time_seconds",
        "gauge",
        "When the process started.",
        unit="seconds since 1970",
    ),
    Metric("build_info", "gauge", "Always 1; the label tells the version.", {"version": ()}),
    Metric(
        "observer_faults_total",
        "counter",
        "Times that counting or reading a figure failed: a fault of the gateway itself.",
    ),
    # --- per advertiser ---
    Metric(
        "calls_total",
        "counter",
        "Calls settled, by result.",
        _ADVERTISER | {"result": _RESULTS},
    ),
    Metric(
        "call_ring_seconds_total",
        "counter",
        "Seconds that settled calls rang.",
        _ADVERTISER,
        unit="seconds",
    ),
    Metric(
        "call_talk_seconds_total",
        "counter",
        "Seconds that settled calls talked.",
        _ADVERTISER,
        unit="seconds",
    ),
    Metric(
        "call_outcomes_total",
        "counter",
        "Calls settled, by the outcome they had then.",
        _ADVERTISER | {"outcome": _OUTCOMES},
    ),
    # --- LINE ---
    Metric(
        "line_events_total",
        "counter",
        "Events of LINE channels kept, by type.",
        _ADVERTISER | {"type": (*get_args(EventKind), "other")},
    ),
    Metric(
        "line_notes_total",
        "counter",
        "Unusual things in LINE's webhooks, by what they were.",
        _ADVERTISER | {"note": get_args(EventNote)},
    ),
    Metric(
        "line_messages_total",
        "counter",
        "Messages to LINE friends, one for each recipient, by how they ended; unknown: whether one "
        "arrived, nobody can tell.",
        _ADVERTISER | {"kind": get_args(SendKind), "result": get_args(SendResult)},
        unit="messages",
    ),
    Metric(
        "coupons_total",
        "counter",
        "What became of coupons; refused: neither handed out nor stamped; put_off: a reminder that "
        "could not be made, which is tried again.",
        _ADVERTISER | {"action": ACTIONS},
    ),
    Metric(
        "line_menus_total",
        "counter",
        "What was done to rich menus on the platform; put_off: a channel that is tried again.",
        _ADVERTISER | {"action": ("created", "deleted", "refused", "put_off")},
    ),
    Metric(
        "line_forwards_total",
        "counter",
        "Webhooks sent on to a second tool, by what came of it; retried: of one attempt.",
        _ADVERTISER | {"result": get_args(ForwardResult)},
    ),
    # --- shop cards ---
    Metric(
        "card_points_total",
        "counter",
        "Points that came on shop cards, by how; undo: those taken back.",
        _ADVERTISER | {"how": get_args(CardHow)},
        unit="points",
    ),
    Metric(
        "cards_total",
        "counter",
        "What became of shop cards.",
        _ADVERTISER | {"action": get_args(CardAction)},
    ),
    Metric(
        "card_refusals_total",
        "counter",
        "Scans of shop-card codes that gave nothing, by reason.",
        _ADVERTISER | {"reason": CARD_REFUSALS},
    ),
    Metric(
        "line_tags_total",
        "counter",
        "Tags that friends got or lost.",
        _ADVERTISER | {"action": ("added", "removed")},
    ),
    Metric(
        "line_pushes_total",
        "counter",
        "Pushes that are over, by how they ended.",
        _ADVERTISER | {"result": ("done", "cancelled", "halted", "failed")},
    ),
    Metric(
        "link_clicks_total",
        "counter",
        "Visits to short links, of people and of programs; unrecorded: too many in a minute.",
        _ADVERTISER | {"kind": (*get_args(Visitor), "unrecorded")},
    ),
    Metric(
        "mail_responses_total",
        "counter",
        "What recipients did with mails; bot: done by a program; unrecorded: not kept, since it "
        "was repeated or the store was away.",
        _ADVERTISER | {"what": ("click", "open", "bot", "unrecorded")},
    ),
    Metric(
        "mail_signups_total",
        "counter",
        "Sign-ups by form and empty mail; stopped: who complained, was deleted; limited: too many.",
        _ADVERTISER | {"result": (*get_args(Asked), "confirmed")},
    ),
    Metric(
        "survey_answers_total",
        "counter",
        "Friends who were asked, and who answered; refused: twice, too late, or amiss.",
        _ADVERTISER | {"result": get_args(SurveyResult)},
    ),
    Metric(
        "line_contents_total",
        "counter",
        "Images, videos and files of friends: kept, or why not; removed: of those kept.",
        _ADVERTISER | {"result": get_args(ContentResult)},
    ),
    # --- mail ---
    Metric(
        "mail_messages_total",
        "counter",
        "What came of attempts, not what people decide of held ones later; suppressed and canceled "
        "are counted at a campaign's end.",
        _ADVERTISER | {"result": ("sent", "deferred", "failed", "held", "suppressed", "canceled")},
        unit="messages",
    ),
    Metric(
        "mail_bounces_total",
        "counter",
        "Mails that were refused for good or came back, and complaints, by class.",
        _ADVERTISER | {"class": (*_BOUNCES, "unwritable")},
        unit="messages",
    ),
    Metric(
        "mail_recipients",
        "gauge",
        "Addresses that may be mailed, each once under a contract, however many lists hold it.",
        _ADVERTISER,
        unit="addresses",
    ),
    Metric(
        "mail_campaigns_total",
        "counter",
        "Campaigns that are over, or were paused: too much came back, some or all cannot be made.",
        _ADVERTISER | {"result": _CAMPAIGNS},
    ),
    # --- SIMs and money ---
    Metric(
        "sims",
        "gauge",
        "SIMs, by state; none are controlled in this release.",
        _ADVERTISER | {"state": SIM_STATES},
        unit="SIMs",
    ),
    Metric(
        "billed_yen_total",
        "counter",
        "Yen charged, by service, without tax; nothing is charged in this release.",
        _ADVERTISER | {"service": SERVICES},
        unit="yen",
    ),
    # --- what went wrong with it ---
    Metric(
        "put_aside_total",
        "counter",
        "What was due and could not be made, for a fault of the gateway: it is not tried again.",
        _ADVERTISER | {"what": ("card-notice", "posting", "effect")},
    ),
)

BY_NAME = {metric.name: metric for metric in METRICS}
