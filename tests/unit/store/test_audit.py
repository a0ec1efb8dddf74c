"""The audit chain: how entries are linked, written as lines, and checked."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from joinbridge.errors import AuditError
from joinbridge.store.audit import GENESIS, ChainHead, canonical, extended, from_line, to_line, verify
from support.records import NOON, audit_record

RECORDS = [audit_record(f"s{n}", body={"n": n}) for n in range(1, 5)]
CHAIN = extended(ChainHead(), RECORDS)
HEAD = ChainHead(sequence=4, digest=CHAIN[-1].digest)


def test_each_entry_carries_the_digest_of_the_one_before_it() -> None:
    assert [entry.sequence for entry in CHAIN] == [1, 2, 3, 4]
    assert [entry.previous for entry in CHAIN] == [GENESIS, *(entry.digest for entry in CHAIN[:-1])]
    assert verify(CHAIN) == verify(CHAIN, HEAD) == HEAD


def test_a_chain_is_the_same_however_it_is_cut_into_batches() -> None:
    first = extended(ChainHead(), RECORDS[:1])
    rest = extended(verify(first), RECORDS[1:])

    assert (*first, *rest) == CHAIN


def test_the_digest_is_the_same_for_ever() -> None:
    # Made with sha256sum from the text that the module describes. Should it change, every chain that is out there stops verifying.
    assert CHAIN[0].digest == "7bb68360a5e348e811ebcb3efc3cab9334031437c786ac0a281ab020b7754e84"


def test_no_entries_are_a_chain() -> None:
    assert verify([]) == verify([], ChainHead()) == ChainHead()


def test_the_time_zone_of_a_moment_does_not_matter() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))

    assert extended(ChainHead(), [audit_record(at=elsewhere)])[0].digest == extended(ChainHead(), [audit_record()])[0].digest


def test_a_missing_entry_is_named() -> None:
    with pytest.raises(AuditError, match="entry 2 is missing") as caught:
        verify([CHAIN[0], *CHAIN[2:]])
    assert caught.value.sequence == 2


def test_an_altered_entry_is_named() -> None:
    with pytest.raises(AuditError, match="entry 3 was altered") as caught:
        verify([*CHAIN[:2], replace(CHAIN[2], body='{"n":4}'), CHAIN[3]])
    assert caught.value.sequence == 3


def test_an_entry_replaced_with_a_fitting_digest_breaks_the_next_link() -> None:
    forged = extended(ChainHead(sequence=1, digest=CHAIN[0].digest), [audit_record("forged")])

    with pytest.raises(AuditError, match="entry 3 does not follow") as caught:
        verify([CHAIN[0], *forged, *CHAIN[2:]])
    assert caught.value.sequence == 3


def test_the_head_tells_what_is_missing_at_the_end() -> None:
    with pytest.raises(AuditError, match="entry 4 is missing") as caught:
        verify(CHAIN[:3], HEAD)
    assert caught.value.sequence == 4


def test_the_head_tells_what_was_added_at_the_end() -> None:
    longer = (*CHAIN, *extended(HEAD, [audit_record("s5")]))

    with pytest.raises(AuditError, match="entry 5 is after the end") as caught:
        verify(longer, HEAD)
    assert caught.value.sequence == 5


def test_the_head_tells_a_last_entry_that_was_replaced() -> None:
    forged = extended(ChainHead(sequence=3, digest=CHAIN[2].digest), [audit_record("forged")])

    with pytest.raises(AuditError, match="entry 4 is not the one") as caught:
        verify([*CHAIN[:3], *forged], HEAD)
    assert caught.value.sequence == 4


def test_an_exported_line_is_json_that_holds_the_whole_entry() -> None:
    line = to_line(CHAIN[0])

    assert "\n" not in line
    assert json.loads(line) == {
        "sequence": 1,
        "at": "2026-03-01T12:00:00.123456+00:00",
        "kind": "pair.changed",
        "subject": "s1",
        "body": {"n": 1},
        "previous": GENESIS,
        "digest": CHAIN[0].digest,
    }
    assert from_line(line, sequence=1) == CHAIN[0]


@pytest.mark.parametrize("line", ["", "[]", "{}", "not json", to_line(CHAIN[0]).replace("2026", "two thousand")])
def test_a_line_that_is_no_entry_names_the_entry_that_was_expected(line: str) -> None:
    with pytest.raises(AuditError, match="entry 7 cannot be read") as caught:
        from_line(line, sequence=7)
    assert caught.value.sequence == 7


def test_canonical_json_has_one_text_for_each_value() -> None:
    assert canonical({"b": 1, "a": ["ü", None, 1.5]}) == '{"a":["\\u00fc",null,1.5],"b":1}'
    with pytest.raises(ValueError, match="JSON"):
        canonical({"n": float("nan")})


def test_words_that_no_database_holds_are_replaced_before_they_are_hashed() -> None:
    (entry,) = extended(ChainHead(), [audit_record("a\0b")])

    assert entry.subject == "a\N{REPLACEMENT CHARACTER}b"
    assert verify([entry]).sequence == 1
