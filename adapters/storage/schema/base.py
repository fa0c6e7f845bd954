"""What every table is made with.

Times are BIGINT microseconds UTC, durations whole seconds, money integer yen. Only
``provider_keys`` and ``callers`` have keys without an order in time: an index into which rows
fall at random is what slows a store down at ten million calls.
"""

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData()

# SQLite keeps rows by INTEGER PRIMARY KEY, and only by a column that is spelt so.
Id = BigInteger().with_variant(Integer(), "sqlite")
Instant = BigInteger
