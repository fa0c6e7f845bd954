"""Provisioning files: what they describe, what they may refer to, and what is said of mistakes."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.provisioning import Entity, Plan
from gateway.domain.routing import TrackedNumber
from gateway.domain.tenancy import Advertiser
from gateway.errors import Misconfigured
from gateway.provisioning import read
from gateway.provisioning.advertisers import ADVERTISER
from gateway.provisioning.numbers import OUTCOME, TRACKED_NUMBER

BAD = sorted((Path(__file__).parent / "provisioning").glob("bad-*.toml"))
ACME = Advertiser("acme", "Acme 美容室")
MEDIA = Advertiser("media-x", "Media X", "media")
NUMBER = TrackedNumber("+815031000001", "acme", "flyer-2026-11", ("+81312345678",))
ACME_TOML = '[[advertiser]]\nid = "acme"\nname = "Acme 美容室"\nkind = "advertiser"\n'
NUMBER_TOML = """
[[tracked_number]]
number = "+815031000001"
advertiser = "acme"
medium = "flyer-2026-11"
forward_to = ["+81312345678"]
"""


def planned(
    folder: Path,
    *texts: str,
    advertisers: tuple[Advertiser, ...] = (),
    numbers: tuple[TrackedNumber, ...] = (),
) -> Plan:
    paths = [folder / f"{ordinal}.toml" for ordinal in range(1, len(texts) + 1)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    held: dict[str, dict[str, Entity]] = {
        "advertiser": {party.id: party for party in advertisers},
        "tracked_number": {number.number: number for number in numbers},
    }
    return read(paths, held)


def problems(
    folder: Path,
    *texts: str,
    advertisers: tuple[Advertiser, ...] = (),
    numbers: tuple[TrackedNumber, ...] = (),
) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        planned(folder, *texts, advertisers=advertisers, numbers=numbers)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_bad_file_gets_its_messages(path: Path) -> None:
    """The lines of each numbered mistake are pinned, all of them and in their order."""
    with pytest.raises(Misconfigured) as caught:
        read([path], {})
    said = [problem.replace(f"{path.parent}/", "") for problem in caught.value.problems]
    assert said == path.with_suffix(".expected").read_text().splitlines()


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    """The required keys are enough: operator as parent, parallel, 25 seconds, no recording."""
    assert planned(tmp_path, ACME_TOML + NUMBER_TOML) == Plan((ACME, NUMBER))


def test_every_key_is_read(tmp_path: Path) -> None:
    """Each key of the two tables reaches the plan."""
    text = """
        [[advertiser]]
        id = "media-x"
        name = "株式会社　Media X"
        kind = "media"
        parent = "operator"

        [[tracked_number]]
        number = "+815031000002"
        advertiser = "media-x"
        medium = "app"
        forward_to = ["+819012345678", "+81312345678"]
        strategy = "sequential"
        ring_seconds = 10
        time_limit_seconds = 600
        caller_id = "+815031000009"
        record = false
        removed = false
        [tracked_number.outcome]
        min_talk_seconds = 30
        """
    route = TrackedNumber(
        "+815031000002",
        "media-x",
        "app",
        ("+819012345678", "+81312345678"),
        strategy="sequential",
        ring_seconds=10,
        time_limit_seconds=600,
        caller_id="+815031000009",
        min_talk_seconds=30,
    )
    party = Advertiser("media-x", "株式会社　Media X", "media")
    assert planned(tmp_path, text) == Plan((party, route))


def test_files_may_refer_to_each_other_in_any_order(tmp_path: Path) -> None:
    """All files are one description."""
    assert planned(tmp_path, NUMBER_TOML, ACME_TOML) == Plan((ACME, NUMBER))


def test_files_may_refer_to_what_the_store_holds(tmp_path: Path) -> None:
    """Parents and advertisers need not be described again."""
    text = ACME_TOML + 'parent = "media-x"\n'
    below = msgspec.structs.replace(ACME, parent="media-x")
    assert planned(tmp_path, text, advertisers=(MEDIA,)).wanted == (below,)
    assert planned(tmp_path, NUMBER_TOML, advertisers=(ACME,)).wanted == (NUMBER,)


def test_an_entity_in_two_files_is_refused(tmp_path: Path) -> None:
    """The second place is told of, with the first."""
    assert problems(tmp_path, ACME_TOML, ACME_TOML) == [
        "2.toml: [[advertiser]] acme: is there twice, see 1.toml: [[advertiser]] acme; keep one"
    ]


def test_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    """A file that cannot be parsed does not hide the mistakes of another."""
    said = problems(tmp_path, "id = ", ACME_TOML.replace("acme", "ACME"))
    assert [line.split(":")[0] for line in said] == ["1.toml", "2.toml"]


def test_a_broken_entity_still_exists_for_the_others(tmp_path: Path) -> None:
    """One mistake is one line: who refers to the broken entity is not blamed."""
    said = problems(tmp_path, ACME_TOML.replace('"advertiser"', "7") + NUMBER_TOML)
    assert said == [
        '1.toml: [[advertiser]] acme: kind = 7: is not text in quotes; write kind = "advertiser"'
    ]


@given(
    st.dictionaries(
        st.sampled_from([key.name for key in (*ADVERTISER, *TRACKED_NUMBER)]),
        st.one_of(
            st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20),
            st.from_regex(r"\+?[0-9]{1,18}", fullmatch=True),
            st.integers(-10, 20_000),
            st.booleans(),
            st.lists(st.sampled_from(["+81312345678", "0312345678", ""]), max_size=12),
        ),
    ),
    st.sampled_from(["advertiser", "tracked_number"]),
)
def test_whatever_an_entity_holds_is_taken_or_told_of(
    tmp_path_factory: pytest.TempPathFactory, entity: dict[str, object], table: str
) -> None:
    """No value raises anything but the error that names it."""
    text = f"[[{table}]]\n" + "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in entity.items()
    )
    with contextlib.suppress(Misconfigured):
        planned(tmp_path_factory.getbasetemp(), text)


# --- taking away ---


def test_entities_are_taken_away_by_name_alone(tmp_path: Path) -> None:
    """Only id or number is needed, and what else is written does not matter."""
    text = """
        [[advertiser]]
        id = "acme"
        removed = true
        [[tracked_number]]
        number = "+815031000001"
        ring_seconds = "whatever"
        removed = true
        """
    plan = planned(tmp_path, text, advertisers=(ACME,), numbers=(NUMBER,))
    assert plan == Plan(removed=(("advertiser", "acme"), ("tracked_number", "+815031000001")))


def test_an_advertiser_with_something_left_is_not_taken_away(tmp_path: Path) -> None:
    """Numbers and children in the store hold it; each is named."""
    shop = Advertiser("shop", "Shop", parent="media-x")
    route = TrackedNumber("+815031000003", "media-x", "site", ("+81312345678",))
    text = '[[advertiser]]\nid = "media-x"\nremoved = true\n'
    remedy = "belongs to it; remove that, too, or give it to another"
    assert problems(tmp_path, text, advertisers=(MEDIA, shop), numbers=(route,)) == [
        f"1.toml: [[advertiser]] media-x: removed = true: shop {remedy}",
        f"1.toml: [[advertiser]] media-x: removed = true: +815031000003 {remedy}",
    ]


def test_an_advertiser_goes_when_its_numbers_move_to_another(tmp_path: Path) -> None:
    """What the store will hold counts, not what it holds."""
    old = Advertiser("old", "Old")
    route = TrackedNumber("+815031000001", "old", "flyer", ("+81312345678",))
    text = ACME_TOML + '[[advertiser]]\nid = "old"\nremoved = true\n' + NUMBER_TOML
    assert planned(tmp_path, text, advertisers=(old,), numbers=(route,)).wanted == (ACME, NUMBER)


# --- what must hold with the store ---


def test_a_circle_through_the_store_is_refused(tmp_path: Path) -> None:
    """A parent in the store that stands under the entity of the file closes a circle."""
    media = Advertiser("media-x", "Media X", "media", parent="agency-y")
    text = '[[advertiser]]\nid = "agency-y"\nname = "Y"\nkind = "agency"\nparent = "media-x"\n'
    agency = Advertiser("agency-y", "Y", "agency")
    (said,) = problems(tmp_path, text, advertisers=(media, agency))
    assert said.startswith('1.toml: [[advertiser]] agency-y: parent = "media-x": goes in a circle')


def test_an_agency_with_children_does_not_become_an_advertiser(tmp_path: Path) -> None:
    """Children in the store keep their parent a delegating one."""
    shop = Advertiser("shop", "Shop", parent="acme")
    agency = Advertiser("acme", "Acme", "agency")
    assert problems(tmp_path, ACME_TOML, advertisers=(agency, shop)) == [
        '1.toml: [[advertiser]] acme: kind = "advertiser": shop stands under it; move that first'
    ]


def test_a_new_number_that_others_forward_to_is_refused(tmp_path: Path) -> None:
    """A loop is one whichever of the two numbers was there first."""
    earlier = TrackedNumber("+815031000002", "acme", "site", ("+815031000001",))
    (said,) = problems(tmp_path, NUMBER_TOML, advertisers=(ACME,), numbers=(earlier,))
    assert said == (
        '1.toml: [[tracked_number]] +815031000001: number = "+815031000001": +815031000002 '
        "forwards to it, which makes a loop; change that first"
    )


def test_a_number_may_forward_to_one_that_goes(tmp_path: Path) -> None:
    """Once it is no tracked number any more, it is a telephone like others."""
    text = NUMBER_TOML + '[[tracked_number]]\nnumber = "+81312345678"\nremoved = true\n'
    gone = TrackedNumber("+81312345678", "acme", "old", ("+819012345678",))
    plan = planned(tmp_path, text, advertisers=(ACME,), numbers=(gone,))
    assert plan == Plan((NUMBER,), (("tracked_number", "+81312345678"),))


# --- the tables ---


def test_every_key_is_described_and_has_a_default_or_an_example() -> None:
    """The reference can be made of the tables."""
    for key in (*ADVERTISER, *TRACKED_NUMBER, *OUTCOME):
        assert key.doc.endswith("."), key.name
        assert (key.default is None) != (key.example is None), key.name


def test_the_daemon_does_not_load_the_numbering_plans() -> None:
    """Importing the reader costs nothing of phonenumbers until a file is read."""
    script = "import sys, gateway.provisioning; sys.exit('phonenumbers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
