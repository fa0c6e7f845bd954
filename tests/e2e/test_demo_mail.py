"""The demonstration's mails: everybody's mail is accounted for on both sides, and a difference is
told.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.test_demo import Demo, demonstrated
from tests.support.daemon import wait_for

pytestmark = [pytest.mark.process, pytest.mark.slow]

EQUAL = ("mails", "refused", "bounced", "delivered", "complaints", "stops", "clicks", "opens")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """A demonstration of a few seconds; that all are mailed twice it awaits in any case."""
    with demonstrated(tmp_path, "--seconds", "6") as made:
        yield made


def test_the_sink_and_the_store_are_equal_mail_by_mail(demo: Demo) -> None:
    """Some were refused, some bounced, complained, stopped and clicked, and each is there as often
    on the one side as on the other; who had stopped got no second mail.
    """
    assert demo.ended() == 0, demo.said
    for name in EQUAL:
        did, has = demo.figure(name)
        assert did == has > 0, name
    assert "NOT" not in demo.said
    assert re.search(r"^maybe: mail to l\*\*\*@e\*\*\*.com: it arrived$", demo.said, re.MULTILINE)
    with closing(sqlite3.connect(demo.store)) as connection:
        states = dict(connection.execute("SELECT state, count(*) FROM mail_sends GROUP BY state"))
    assert states["suppressed"] > 0, states


def test_no_address_and_no_key_is_shown(demo: Demo) -> None:
    """Addresses are masked, and the keys that sign are for their owner alone."""
    assert demo.ended() == 0, demo.said
    assert re.search(r" ← s\*\*\*@s\*\*\*\.jp +stops", demo.said)
    assert not re.search(r"[a-z]-[sm]\d+@", demo.said)
    keys = list(demo.store.parent.glob("*.pem"))
    assert len(keys) == 2
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}
    assert "PRIVATE KEY" not in demo.said


def test_a_mail_that_the_store_has_otherwise_is_told(demo: Demo) -> None:
    """The sink has a mail of which the store says that it failed: the demo exits 1."""
    wait_for(lambda: demo.shows("stops", "clicks"), "nothing was shown of mails")
    with closing(sqlite3.connect(demo.store, isolation_level=None, timeout=10)) as connection:
        reader = "SELECT id FROM mail_recipients WHERE address = 'reads-s1@gmail.com'"
        first = f"SELECT min(campaign) FROM mail_sends WHERE recipient IN ({reader})"
        wait_for(
            lambda: (
                connection.execute(
                    f"UPDATE mail_sends SET state = 'failed' WHERE recipient IN ({reader})"
                    f" AND campaign IN ({first}) AND state = 'sent'"
                ).rowcount
                == 1
            ),
            "no mail was sent",
        )
    assert demo.ended() == 1, demo.said
    assert "WRONG: r***@g***.com: the store says failed, the sink got it 1 times" in demo.said
    assert "NOT equal" in demo.said
