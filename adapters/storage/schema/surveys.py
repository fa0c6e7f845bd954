"""Tables of surveys: who was asked, and what was answered."""

from sqlalchemy import BigInteger, Column, Index, Table, Text, UniqueConstraint, text

from adapters.storage.schema.base import Id, Instant, metadata

# The columns are the fields of gateway.domain.surveys.Session, in their order.
survey_sessions = Table(
    "survey_sessions",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("survey", Text, nullable=False),
    Column("advertiser", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("friend", BigInteger, nullable=False),
    Column("token", Text, nullable=False),
    Column("state", Text, nullable=False),  # open | done
    Column("offered_at", Instant, nullable=False),
    Column("done_at", Instant, nullable=False),
    Column("progress", Text, nullable=False),  # JSON
    Column("thanks", Text, nullable=False),  # JSON
    UniqueConstraint("survey", "friend", name="survey_sessions_once"),
    UniqueConstraint("token", name="survey_sessions_token"),
)
Index("survey_sessions_friend", survey_sessions.c.friend)
Index("survey_sessions_done", survey_sessions.c.survey, survey_sessions.c.done_at)

# The columns are the fields of gateway.ports.surveys.Answered, in their order.
survey_answers = Table(
    "survey_answers",
    metadata,
    Column("response", BigInteger, primary_key=True, autoincrement=False),
    Column("question", Text, primary_key=True),
    Column("option", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("survey", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("friend", BigInteger, nullable=False),  # 0: nobody knows
    Column("text", Text, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
Index(
    "survey_answers_of",
    survey_answers.c.survey,
    survey_answers.c.question,
    survey_answers.c.response,
)
Index("survey_answers_rows", survey_answers.c.survey, survey_answers.c.response)
Index("survey_answers_friend", survey_answers.c.friend)
TEXTS = text("text <> ''")
"""As the partial index has it: SQLite takes that only where it finds its own words."""
# What people wrote and what is still to be cleared of it.
Index(
    "survey_answers_texts",
    survey_answers.c.at,
    survey_answers.c.survey,
    sqlite_where=TEXTS,
    postgresql_where=TEXTS,
)

WITHOUT_ADVERTISER: dict[str, str] = {}
