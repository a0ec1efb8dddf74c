"""Writing what a batch changed, in a number of statements that does not depend on how much that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Executable

from joinbridge.core.attempt import JoinAttempt
from joinbridge.core.case import Contradiction, Explanation
from joinbridge.core.evidence import Evidence
from joinbridge.core.facts import DeviceDescription, Sighting
from joinbridge.core.ids import DeviceId, MessageKey
from joinbridge.core.pair import PairRecord
from joinbridge.errors import StaleVersionError, StoreError
from joinbridge.ports import AuditRecord, Changes, DeadLetter
from joinbridge.store import codec
from joinbridge.store.audit import AuditEntry, ChainHead, extended
from joinbridge.store.columns import plain
from joinbridge.store.dialects import Row, rows_for
from joinbridge.store.loading import Versions, key_columns
from joinbridge.store.outbox import effect_row
from joinbridge.store.statements import Statements

NOTHING_READ: Versions = {}


def record_messages(connection: Connection, statements: Statements, keys: Mapping[MessageKey, datetime]) -> set[MessageKey]:
    """Put the messages into the inbox; return those that were not there."""
    # Sorted, here and below: two instances that write the same rows in different orders would lock each other out.
    rows = [{"key": key, "at": at} for key, at in sorted(keys.items())]
    found = connection.execute(statements.record_messages, rows_for(connection.dialect.name, rows))
    return {MessageKey(key) for (key,) in found}


def save_changes(
    connection: Connection, statements: Statements, changes: Changes, created_at: datetime, read: Versions = NOTHING_READ
) -> None:
    """Write all of `changes`, which were decided from what was `read` of some devices.

    Raises: StaleVersionError when an attempt, a pair or one of those devices is not at the version it was loaded with.
    """
    _compare_and_set(connection, statements.save_attempts, _attempt_rows(changes.attempts))
    _compare_and_set(connection, statements.save_pairs, _pair_rows(changes.pairs))
    # Two records of one home may be changed by two instances of which neither saw what the other wrote: an attempt, and what answers it.
    _compare_and_set(connection, statements.save_versions, _version_rows(changes, read))
    for statement, rows in (
        (statements.keep_sightings, _sighting_rows(changes.kept)),
        (statements.save_evidence, _evidence_rows(changes.evidence)),
        (statements.save_devices, _device_rows(changes.devices)),
        (statements.owe_effects, [effect_row(e, created_at, withheld=changes.withheld) for e in changes.effects]),
        (statements.count_contradictions, [_contradiction_row(c) for c in changes.contradictions]),
    ):
        if rows:
            connection.execute(statement, rows_for(connection.dialect.name, rows))
    if changes.explanations:
        connection.execute(statements.discount_contradictions, [_explanation_row(e) for e in changes.explanations])
    if changes.dead_letters:
        connection.execute(statements.save_dead_letters, _dead_letter_rows(changes.dead_letters))
    if changes.audit:
        _extend_audit(connection, statements, changes.audit)


def _version_rows(changes: Changes, read: Versions) -> list[Row]:
    """One row for each device that was read and of which anything is changed; a pair is decided from what is known of both its ends."""
    changed = {attempt.target for attempt in changes.attempts}
    changed.update(device for record in changes.pairs for device in (record.pair.target, record.pair.other))
    changed.update(device for device, _ in changes.kept)
    changed.update(description.device for description in changes.devices)
    return [{"device": device, "version": read[device] + 1} for device in sorted(changed & read.keys())]


def _compare_and_set(connection: Connection, statement: Executable, rows: Sequence[Row]) -> None:
    if not rows:
        return
    written = len(connection.execute(statement, rows_for(connection.dialect.name, rows)).all())
    if written != len(rows):
        raise StaleVersionError(f"{len(rows) - written} of {len(rows)} records were changed by another instance")


def _extend_audit(connection: Connection, statements: Statements, records: Sequence[AuditRecord]) -> None:
    # Reading the head locks it: entries of two instances come one after the other. It is the last lock a transaction takes.
    head = connection.execute(statements.audit_head).one_or_none()
    if head is None:
        raise StoreError("the audit chain has no head: was the database made by `joinbridge db upgrade`?")
    entries = extended(ChainHead(sequence=head.sequence, digest=head.digest), records)
    connection.execute(statements.append_audit, rows_for(connection.dialect.name, [_audit_row(entry) for entry in entries]))
    last = entries[-1]
    connection.execute(statements.move_audit_head, {"to_sequence": last.sequence, "to_digest": last.digest})


def _audit_row(entry: AuditEntry) -> Row:
    return {
        "sequence": entry.sequence,
        "at": entry.at,
        "kind": entry.kind,
        "subject": entry.subject,
        "body": entry.body,
        "previous": entry.previous,
        "digest": entry.digest,
    }


def _attempt_rows(attempts: Sequence[JoinAttempt]) -> list[Row]:
    """One row for each attempt; the last one given of each stands."""
    latest = {key_columns(attempt.key): attempt for attempt in attempts}
    return [
        {
            "request_id": request_id,
            "intent": intent,
            "target": attempt.target,
            "other": attempt.other,
            "state": attempt.state.value,
            "requested_at": attempt.requested_at,
            "watched": attempt.is_open or bool(attempt.deadlines),
            "due_at": min((deadline.due_at for deadline in attempt.deadlines), default=None),
            "version": attempt.version + 1,
            "record": codec.encode(replace(attempt, version=attempt.version + 1)),
        }
        for (request_id, intent), attempt in sorted(latest.items(), key=lambda item: item[0])
    ]


def _pair_rows(pairs: Sequence[PairRecord]) -> list[Row]:
    """One row for each pair; the last one given of each stands."""
    latest = {record.pair: record for record in pairs}
    return [
        {
            "target": pair.target,
            "other": pair.other,
            "state": record.state.value,
            "since": record.since,
            "version": record.version + 1,
            "record": codec.encode(replace(record, version=record.version + 1)),
        }
        for pair, record in sorted(latest.items(), key=lambda item: item[0])
    ]


def _sighting_rows(kept: Sequence[tuple[DeviceId, Sighting]]) -> list[Row]:
    """One row for each sighting, those of one device in the order given."""
    return [
        {
            "device": device,
            "key": sighting.key,
            "at": sighting.at,
            "source": plain(sighting.source),
            "region": None if sighting.region is None else plain(sighting.region),
            "authenticity": sighting.authenticity.value,
            "kind": codec.fact_kind(sighting.fact),
            "record": codec.encode(sighting.fact),
        }
        for device, sighting in sorted(kept, key=lambda item: item[0])
    ]


def _evidence_rows(evidence: Sequence[Evidence]) -> list[Row]:
    found = {evidence_key(e): e for e in evidence}
    return [
        {
            "target": target,
            "other": other,
            "rule": rule,
            "message": message,
            "attempt": attempt,
            "at": e.at,
            "record": codec.encode(e),
        }
        for (target, other, rule, message, attempt), e in sorted(found.items(), key=lambda item: item[0])
    ]


def evidence_key(evidence: Evidence) -> tuple[str, str, str, str, str]:
    """Return what makes a finding the same finding: pair, rule, message, and the attempt it speaks of, if any."""
    attempt = "" if evidence.attempt is None else str(evidence.attempt)
    return evidence.pair.target, evidence.pair.other, evidence.rule, evidence.message, attempt


def _device_rows(devices: Sequence[DeviceDescription]) -> list[Row]:
    latest = {description.device: description for description in devices}
    return [{"device": device, "record": codec.encode(latest[device])} for device in sorted(latest)]


def _explanation_row(explanation: Explanation) -> Row:
    return {
        "of_rule": explanation.rule,
        "of_target": explanation.pair.target,
        "of_other": explanation.pair.other,
        "since": explanation.since,
    }


def _contradiction_row(contradiction: Contradiction) -> Row:
    return {
        "rule": contradiction.rule,
        "target": contradiction.pair.target,
        "other": contradiction.pair.other,
        "at": contradiction.at,
        "says": plain(contradiction.says),
    }


def _dead_letter_rows(letters: Sequence[DeadLetter]) -> list[Row]:
    return [
        {
            "key": letter.key,
            "body": letter.body,
            "content_type": letter.content_type,
            "source": letter.source,
            "route": letter.route,
            "region": letter.region,
            "reason": letter.reason,
            "at_byte": letter.offset,
            "attempts": letter.attempts,
            "first_seen": letter.first_seen,
            "last_seen": letter.last_seen,
        }
        for letter in sorted(letters, key=lambda letter: letter.key)
    ]
