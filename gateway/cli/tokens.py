"""``token``: what opens the API."""

import argparse
from typing import get_args

from gateway import main as wiring
from gateway.cli.base import DONE, Commands, id_of, load_with_store, now, positive
from gateway.domain.access import Role
from gateway.domain.values import SECOND, moment
from gateway.errors import Misconfigured

_DAY = 86_400 * SECOND


def add_to(commands: Commands) -> None:
    """Add the group."""
    group = commands.group("token", "tokens of the API")
    made = group.add("create", _create, "make a token; it is shown only now")
    made.add_argument("--role", required=True, choices=get_args(Role))
    made.add_argument(
        "--advertiser",
        action="extend",
        nargs="+",
        default=[],
        metavar="ID",
        help="whose data it opens, with all below them; default: everybody's",
    )
    made.add_argument("--name", default="", help="what people call it")
    made.add_argument("--days", type=_days, metavar="N", help="it opens nothing after N days")
    group.add("list", _list, "every token, oldest first, without the tokens")
    ended = group.add("revoke", _revoke, "end a token, within a second")
    ended.add_argument("id", type=id_of, metavar="ID", help="of `gateway token list`")


def _days(text: str) -> int:
    return positive(text, 36_500)


def _create(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    at = now()
    token = wiring.create_token(
        settings,
        given.role,
        tuple(dict.fromkeys(given.advertiser)),
        name=given.name,
        created_at=at,
        expires_at=at + given.days * _DAY if given.days else None,
    )
    print(token)
    return DONE


def _list(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    at = now()
    print(f"{'id':19}  {'created':16}  {'role':8}  {'state':7}  name, advertisers")
    for access in wiring.list_tokens(settings):
        created = moment(access.created_at).astimezone(settings.timezone)
        state = "valid" if access.is_valid(at) else "revoked" if access.revoked_at else "expired"
        whose = " ".join(access.advertisers) or "everybody"
        print(
            f"{access.id:<19}  {created:%Y-%m-%d %H:%M}  {access.role:8}  {state:7}  "
            f"{access.name or '–'}, {whose}"
        )
    return DONE


def _revoke(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    if not wiring.revoke_token(settings, given.id, now()):
        raise Misconfigured([f"{given.id}: no such token, or revoked before"])
    print(f"{given.id}: revoked")
    return DONE
