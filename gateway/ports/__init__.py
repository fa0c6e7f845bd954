"""What the use-cases and the edge need from the world, worded by those who consume it."""

from gateway.ports.calls import CallRecord, Calls, History
from gateway.ports.http import Answer, Headers, Request, Route
from gateway.ports.provisioning import Entities, Provisioning, Routes
from gateway.ports.store import (
    Clock,
    Fact,
    Lane,
    Observer,
    Spool,
    Store,
    Transaction,
    UseCase,
)

__all__ = [
    "Answer",
    "CallRecord",
    "Calls",
    "Clock",
    "Entities",
    "Fact",
    "Headers",
    "History",
    "Lane",
    "Observer",
    "Provisioning",
    "Request",
    "Route",
    "Routes",
    "Spool",
    "Store",
    "Transaction",
    "UseCase",
]
