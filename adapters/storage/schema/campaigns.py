"""Tables of mail campaigns: what is sent, to whom, what became of it, and what came back."""

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    and_,
    literal_column,
    or_,
)

from adapters.storage.schema.base import Id, Instant, metadata


def _literals(*words: str) -> list[ColumnElement[str]]:
    return [literal_column(f"'{word}'") for word in words]


# The columns are the fields of gateway.domain.mail.campaigns.Campaign, in their order.
mail_campaigns = Table(
    "mail_campaigns",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("list", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("audience", Text, nullable=False),  # JSON of gateway.domain.mail.campaigns.Audience
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("at", Instant, nullable=False),  # when it is to begin
    Column("state", Text, nullable=False),
    Column("due_at", Instant),  # when it is to be looked at next; NULL: never again
    Column("parts", Integer, nullable=False),
    Column("part_seconds", Integer, nullable=False),
    Column("give_up_seconds", Integer, nullable=False),
    Column("doubt", Text, nullable=False),
    Column("pause_percent", Integer, nullable=False),
    Column("expected", Integer, nullable=False),
    Column("fixed", Integer, nullable=False),
    Column("fixed_to", BigInteger, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=False),
    Column("settled_at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
)
_open = mail_campaigns.c.due_at.is_not(None)
Index("mail_campaigns_due", mail_campaigns.c.due_at, sqlite_where=_open, postgresql_where=_open)
Index("mail_campaigns_of", mail_campaigns.c.list, mail_campaigns.c.id)
Index("mail_campaigns_whose", mail_campaigns.c.advertiser, mail_campaigns.c.id)
# Spelt where they are asked for as here: SQLite takes a partial index only then.
ACTIVE = or_(
    mail_campaigns.c.state.in_(_literals("fixing", "sending", "paused", "closing")),
    and_(mail_campaigns.c.state == _literals("canceled")[0], mail_campaigns.c.due_at.is_not(None)),
)
Index("mail_campaigns_active", mail_campaigns.c.id, sqlite_where=ACTIVE, postgresql_where=ACTIVE)

mail_contents = Table(
    "mail_contents",
    metadata,
    Column("campaign", Id, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),  # JSON of mail.message.content.Content
)

# Where the links of a campaign lead to, numbered as they come in its message.
mail_links = Table(
    "mail_links",
    metadata,
    Column("campaign", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("url", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Who gets a campaign, fixed at its beginning, and what became of it.
mail_sends = Table(
    "mail_sends",
    metadata,
    Column("campaign", BigInteger, primary_key=True, autoincrement=False),
    Column("recipient", BigInteger, primary_key=True, autoincrement=False),
    Column("lane", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", Instant),  # NULL: nothing is to be done with it
    Column("attempts", Integer, nullable=False),
    Column("owner", Integer, nullable=False),  # the start of the process that attempts it
    Column("first_at", Instant, nullable=False),  # of its first attempt; 0: none
    Column("at", Instant, nullable=False),  # of its last change
    Column("code", Integer, nullable=False),  # of SMTP; 0: none
    Column("class", Text, nullable=False),  # of a failure or a bounce
    Column("text", Text, nullable=False),  # the answer, where it is no success
    sqlite_with_rowid=False,
)
_due = mail_sends.c.due_at.is_not(None)
# Partial: they hold what is still to happen, and what is on the wire just now.
Index(
    "mail_sends_due",
    mail_sends.c.campaign,
    mail_sends.c.lane,
    mail_sends.c.due_at,
    mail_sends.c.recipient,
    sqlite_where=_due,
    postgresql_where=_due,
)
ATTEMPTING = mail_sends.c.state == _literals("attempting")[0]
Index(
    "mail_sends_attempting",
    mail_sends.c.owner,
    mail_sends.c.campaign,
    sqlite_where=ATTEMPTING,
    postgresql_where=ATTEMPTING,
)

# What people look at, and what is cleared; a mail that went well never comes into it.
_nothing = _literals("")[0]
AMISS = or_(
    mail_sends.c.state.in_(_literals("deferred", "failed", "suppressed", "held")),
    mail_sends.c["class"] != _nothing,
)
Index(
    "mail_sends_amiss",
    mail_sends.c.campaign,
    mail_sends.c.state,
    mail_sends.c.recipient,
    sqlite_where=AMISS,
    postgresql_where=AMISS,
)

# Counts of a campaign by name: `sent`, `bounced:filtered`, `click`.
mail_figures = Table(
    "mail_figures",
    metadata,
    Column("campaign", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("amount", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# What a recipient did, or what came of their mail, once each: the figures of people, beside those
# of presses.
mail_responses = Table(
    "mail_responses",
    metadata,
    Column("campaign", BigInteger, primary_key=True, autoincrement=False),
    Column("recipient", BigInteger, primary_key=True, autoincrement=False),
    Column("what", Text, primary_key=True),  # open, click, stop, complaint, delayed
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# The columns are the fields of gateway.ports.mail.campaigns.Bounce, in their order.
mail_bounces = Table(
    "mail_bounces",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("list", Text, nullable=False),
    Column("campaign", BigInteger, nullable=False),
    Column("recipient", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("source", Text, nullable=False),
    Column("class", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("code", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("text", Text, nullable=False),
)
Index("mail_bounces_of", mail_bounces.c.advertiser, mail_bounces.c.id)
Index("mail_bounces_campaign", mail_bounces.c.campaign, mail_bounces.c.recipient)

# Processes that send, and when they last said so: what a silent one attempted is in doubt.
mail_senders = Table(
    "mail_senders",
    metadata,
    Column("owner", Integer, primary_key=True, autoincrement=False),
    Column("beat_at", Instant, nullable=False),
)

# What each process last heard of another: it tells a silent one by its own clock.
mail_watches = Table(
    "mail_watches",
    metadata,
    Column("looker", Integer, primary_key=True, autoincrement=False),
    Column("owner", Integer, primary_key=True, autoincrement=False),
    Column("beat_at", Instant, nullable=False),  # by the clock of the other; 0: it said nothing
    Column("seen_at", Instant, nullable=False),  # when that was new, by the looker's
    sqlite_with_rowid=False,
)

WITHOUT_ADVERTISER = {
    "mail_links": "belongs to a campaign by its id",
    "mail_sends": "belongs to a campaign by its id",
    "mail_figures": "belongs to a campaign by its id",
    "mail_responses": "belongs to a campaign by its id",
    "mail_senders": "a process, not anybody's",
    "mail_watches": "of processes, not anybody's",
}
