"""Logs: one line for each thing that an operator may want to know, as JSON for machines or for people to read, on standard error.

An event has a constant name and its facts as fields; what concerns a request has its `request_id`. What a message holds never gets here:
the observer names only what it knows by name, and fields that could hold content or secrets are struck out, whoever writes them.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import timedelta
from typing import Any, TextIO

import structlog

from joinbridge.config import Log
from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.effects import Effect, UpdateInventory
from joinbridge.core.evidence import Mode
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.observing import Committed, Correction, Observer
from joinbridge.ports import Delivery

STRUCK = "[struck out]"

SECRET = frozenset({"body", "payload", "certificate", "key_pem", "password", "private_key", "secret", "token", "url"})
"""Fields that nobody may log."""

ATTEMPT_EVENTS: Mapping[AttemptState, str] = {
    AttemptState.RESPONSE_LOST: "answer_lost",
    AttemptState.RETRIED: "retry_decided",
    AttemptState.PROBED: "probe_decided",
    AttemptState.CONFIRMED_LATE: "answer_came_late",
    AttemptState.INFERRED_SUCCESS: "success_inferred",
    AttemptState.DISPROVED: "attempt_disproved",
    AttemptState.UNRESOLVED: "attempt_unresolved",
}
"""The states of an attempt that an operator wants to know of; the others are logged at debug, as `attempt_changed`."""

PAIR_EVENTS: Mapping[PairState, str] = {PairState.DISPUTED: "pair_disputed", PairState.INFERRED_SUCCESS: "pair_inferred"}

# structlog's own type of an event: what it holds is anybody's.
Event = MutableMapping[str, Any]


def configure(settings: Log, *, stream: TextIO | None = None) -> None:
    """Let all logging of this process, the libraries' too, be written as `settings` say; to `stream`, or standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        strike_out,
    ]
    as_json = settings.format == "json"
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([structlog.processors.dict_tracebacks] if as_json else []),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("joinbridge").setLevel(settings.level.upper())


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger for events: `log.info("ready", mode="live")`."""
    made: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return made


def strike_out(_: object, __: str, event: Event) -> Event:
    """Strike out what could be a message's content or a secret: octets, and fields with such a name."""
    for name, value in event.items():
        if name in SECRET or isinstance(value, bytes | bytearray | memoryview):
            event[name] = STRUCK
    return event


class Logging(Observer):
    """Logs what was committed and carried out, as far as an operator wants to know it."""

    def __init__(self) -> None:
        self._log = logger("joinbridge.work")

    def committed(self, committed: Committed) -> None:
        """Log what became of attempts and pairs, and what could not be read."""
        for letter in committed.letters:
            where = {"source": letter.source, "route": letter.route, "offset": letter.offset}
            self._log.warning("message_dead", key=letter.key, reason=letter.reason, **where)
        for decided in committed.decisions:
            case, decision = decided.case, decided.decision
            for attempt in decision.attempts:
                self._attempt(case.attempts.get(attempt.key), attempt)
            for record in decision.pairs:
                self._pair(case.pairs.get(record.pair), record)
            for each in decision.contradictions:
                self._log.error("rule_contradicted", rule=each.rule, target=each.pair.target, other=each.pair.other, says=each.says)
            for one in decision.explanations:
                self._log.info("contradiction_explained", rule=one.rule, target=one.pair.target, other=one.pair.other)
            for says in decision.surprises:
                self._log.debug("surprise", says=says)

    def rules(self, modes: Mapping[str, Mode]) -> None:
        """Log which rules do not count."""
        self._log.debug("rules_refreshed", not_live={rule: str(mode) for rule, mode in modes.items() if mode is not Mode.LIVE})

    def handed_back(self, deliveries: Sequence[Delivery]) -> None:
        """Log what comes again."""
        self._log.warning("messages_handed_back", count=len(deliveries))

    def corrected(self, effect: UpdateInventory, outcome: Correction, age: timedelta) -> None:  # noqa: ARG002 - a metric
        """Log what became of the inventory."""
        say = self._log.info if outcome in (Correction.CHANGED, Correction.UNCHANGED) else self._log.error
        say("inventory_corrected", target=effect.pair.target, other=effect.pair.other, joined=effect.joined, outcome=outcome)

    def postponed(self, effect: Effect, error: str) -> None:
        """Log what is tried again, and why."""
        self._log.warning("effect_postponed", effect=type(effect).__name__, key=effect.key, says=error)

    def failed(self, task: str, error: Exception) -> None:
        """Log a turn that failed."""
        self._log.error("turn_failed", task=task, error=type(error).__name__, says=str(error), next="tried again")

    def _attempt(self, before: JoinAttempt | None, after: JoinAttempt) -> None:
        if before is not None and before.state is after.state:
            return
        log = self._log.bind(request_id=str(after.request_id), intent=after.intent, other=after.other, srv=after.srv)
        facts = {"before": None if before is None else before.state, "state": after.state}
        name = ATTEMPT_EVENTS.get(after.state)
        if name is None:
            log.debug("attempt_changed", **facts)
        else:
            log.info(name, **facts, lost_because=after.lost_because)

    def _pair(self, before: PairRecord | None, after: PairRecord) -> None:
        name = PAIR_EVENTS.get(after.state)
        if name is not None and (before is None or before.state is not after.state):
            rules = sorted({found.rule for found in after.basis})
            say = self._log.error if after.state is PairState.DISPUTED else self._log.info
            say(name, target=after.pair.target, other=after.pair.other, rules=rules)
