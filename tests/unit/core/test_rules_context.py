"""The registry of rules, what every rule has in common, and what a finding says of itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from joinbridge.core.attempt import JoinAttempt
from joinbridge.core.evidence import CommandOrder, Evidence, Grade, Mode, Polarity
from joinbridge.core.facts import (
    Authenticity,
    CommandFailed,
    CommandNotExecuted,
    Fact,
    GpfLogRestored,
    HubActivityRead,
    HubLogReported,
    LogEntry,
    PartnerJoined,
)
from joinbridge.core.ids import CommandKey, MessageKey
from joinbridge.core.policy import Policy
from joinbridge.core.rules import BY_FACT, RECORDED_ONLY, RULES, Rule
from joinbridge.core.rules.context import Finding, PairContext
from joinbridge.core.vocabulary import Cra, DeviceType, Intent
from support.evidence import NOT_TRUSTED, about, alert, asked, event_log, findings, said, sighted
from support.home import (
    ACB,
    CAD,
    CHF,
    ESME,
    OTHER_SUPPLIER,
    PPMID,
    START,
    SUPPLIER,
    acknowledged,
    after,
    answered,
    decided,
    discarded,
    gpf_log,
    join,
    log_read,
    pair,
    request_id,
    unjoin,
)

KEY = request_id(1)
ONE_OF_EACH: tuple[Fact, ...] = (
    acknowledged(1, "E20"),
    answered(1),
    log_read(1, CAD),
    gpf_log(START, CAD),
    GpfLogRestored(business_key=KEY, wire_key=KEY, results=((LogEntry(CAD, DeviceType.TYPE2), 0),)),
    HubLogReported(device=CHF, device_time=START, entries=((CAD, True),)),
    HubActivityRead(device=CHF, entries=((CAD, START),)),
    event_log(),
    alert(0x8F49),
    discarded(1, Cra.COMMAND),
    CommandNotExecuted(key=KEY, alert_code=0x8F84),
    CommandFailed(request_id=KEY, alert_code="N12", no_response=False),
    PartnerJoined(device=ESME, partner=CAD),
    decided(joined=True),
)


def test_every_row_of_the_table_has_a_rule_or_a_reason_why_it_finds_nothing() -> None:
    implemented = {rule.row for rule in RULES} - {0}

    assert implemented | set(RECORDED_ONLY) == set(range(1, 40))
    assert not implemented & set(RECORDED_ONLY)
    assert all(reason.strip().endswith(".") for reason in RECORDED_ONLY.values())


def test_every_row_has_one_rule_and_every_rule_a_name_of_its_own() -> None:
    names, rows = [rule.name for rule in RULES], [rule.row for rule in RULES]

    assert len(set(names)) == len(names)
    assert len(set(rows)) == len(rows)


def test_rules_stand_in_the_order_of_the_table_and_what_is_not_in_it_last() -> None:
    rows = [rule.row for rule in RULES]

    assert rows == [*sorted(row for row in rows if row), 0]


def test_every_rule_is_found_by_each_kind_of_fact_that_it_reads_and_by_no_other() -> None:
    by_rule = {rule.name: {kind for kind, rules in BY_FACT.items() if rule in rules} for rule in RULES}

    assert by_rule == {rule.name: set(rule.reads) for rule in RULES}
    assert set(BY_FACT) <= set(get_args(Fact))
    assert {type(fact) for fact in ONE_OF_EACH} == set(BY_FACT)
    assert all(rule.summary.endswith(".") for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_a_rule_finds_nothing_in_a_kind_of_fact_that_it_does_not_read(rule: Rule) -> None:
    context = about(asked(join(1)), asked(unjoin(1)))
    others = [fact for fact in ONE_OF_EACH if type(fact) not in rule.reads]

    found = [rule.apply(sighted(fact), context) for fact in others]

    assert found == [None] * len(others)


def a_rule(finding: Finding | None, *, row: int = 1, default_mode: Mode = Mode.LIVE) -> Rule:
    return Rule(
        row=row,
        name="a-rule",
        reads=(type(answered(1)),),
        polarity=Polarity.JOINED,
        grade=Grade.CONCLUSIVE,
        summary="",
        read=lambda _sighting, _context: finding,
        version=3,
        default_mode=default_mode,
    )


def a_finding(grade: Grade = Grade.CONCLUSIVE) -> Finding:
    return Finding(polarity=Polarity.JOINED, grade=grade, says="so")


class TestApply:
    """What becomes of a rule's finding."""

    def test_a_finding_becomes_evidence_about_the_pair_with_the_rules_name_row_and_version(self) -> None:
        attempt = asked(join(1))
        order = CommandOrder(KEY, KEY)
        finding = replace(
            a_finding(), at=after(minutes=2), earliest=START, attempt=attempt, order=order, by_device_clock=True, answer=True, family="kin"
        )

        evidence = a_rule(finding).apply(sighted(answered(1)), about(attempt))

        assert evidence == Evidence(
            pair=pair(),
            row=1,
            rule="a-rule",
            version=3,
            polarity=Polarity.JOINED,
            grade=Grade.CONCLUSIVE,
            at=after(minutes=2),
            earliest=START,
            message=MessageKey("m"),
            family="kin",
            says="so",
            attempt=KEY,
            order=order,
            by_device_clock=True,
            answer=True,
            shadow=False,
        )

    def test_a_finding_without_times_is_of_the_moment_of_the_message(self) -> None:
        evidence = a_rule(a_finding()).apply(sighted(answered(1), at=after(hours=4)), about())

        assert evidence is not None
        assert (evidence.earliest, evidence.at) == (after(hours=4), after(hours=4))
        assert (evidence.family, evidence.attempt) == ("a-rule", None)

    def test_a_finding_is_never_from_later_than_it_was_made(self) -> None:
        finding = replace(a_finding(), earliest=after(hours=9))

        evidence = a_rule(finding).apply(sighted(answered(1), at=after(hours=4)), about())

        assert evidence is not None
        assert evidence.earliest == after(hours=4)

    def test_nothing_found_is_no_evidence(self) -> None:
        evidence = a_rule(None).apply(sighted(answered(1)), about())

        assert evidence is None

    @pytest.mark.parametrize("default", list(Mode))
    @pytest.mark.parametrize("configured", [None, *Mode])
    def test_the_configured_mode_goes_before_the_default(self, configured: Mode | None, default: Mode) -> None:
        policy = Policy(rule_modes={} if configured is None else {"a-rule": configured})
        mode = configured or default

        evidence = a_rule(a_finding(), default_mode=default).apply(sighted(answered(1)), about(policy=policy))

        assert (evidence is None) == (mode is Mode.OFF)
        assert evidence is None or evidence.shadow == (mode is Mode.SHADOW)

    @pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
    def test_each_rule_counts_by_default_unless_other_devices_may_be_unseen(self, rule: Rule) -> None:
        expected = Mode.SHADOW if rule.row in (32, 33) else Mode.LIVE

        assert rule.mode(Policy()) is expected
        assert rule.mode(Policy(rule_modes={rule.name: Mode.OFF, "another": Mode.LIVE})) is Mode.OFF

    def test_a_real_rule_in_shadow_is_recorded_and_does_not_count(self) -> None:
        shadowed = Policy(rule_modes={"join-answered-success": Mode.SHADOW})

        (found,) = findings(answered(1), about(asked(join(1)), policy=shadowed))

        assert (found.grade, found.shadow) == (Grade.CONCLUSIVE, True)

    @pytest.mark.parametrize(
        ("grade", "lowered"),
        [
            (Grade.CONCLUSIVE, Grade.STRONG),
            (Grade.STRONG, Grade.CORROBORATING),
            (Grade.CORROBORATING, Grade.AMBIGUOUS),
            (Grade.AMBIGUOUS, Grade.NONE),
            (Grade.NONE, Grade.NONE),
        ],
    )
    @pytest.mark.parametrize(
        ("source", "authenticity"),
        [(NOT_TRUSTED, Authenticity.CHANNEL), ("csp.alert", Authenticity.USER_SUPPLIED), (NOT_TRUSTED, Authenticity.USER_SUPPLIED)],
    )
    def test_what_cannot_be_trusted_loses_one_grade_and_is_one_witness_with_all_such(
        self, source: str, authenticity: Authenticity, grade: Grade, lowered: Grade
    ) -> None:
        sighting = sighted(answered(1), source=source, authenticity=authenticity)

        evidence = a_rule(replace(a_finding(grade), family="kin")).apply(sighting, about())

        assert evidence is not None
        assert (evidence.grade, evidence.family) == (lowered, "not-trusted")

    @pytest.mark.parametrize(
        ("source", "authenticity"),
        [("csp.alert", Authenticity.CHANNEL), (NOT_TRUSTED, Authenticity.VERIFIED), ("csp.alert", Authenticity.VERIFIED)],
    )
    def test_a_verified_signature_or_a_trusted_producer_keeps_the_grade(self, source: str, authenticity: Authenticity) -> None:
        sighting = sighted(answered(1), source=source, authenticity=authenticity)

        evidence = a_rule(a_finding()).apply(sighting, about())

        assert evidence is not None
        assert (evidence.grade, evidence.family) == (Grade.CONCLUSIVE, "a-rule")

    def test_the_rule_that_weighs_what_users_hand_in_is_not_lowered_a_second_time(self) -> None:
        sighting = sighted(answered(1), authenticity=Authenticity.USER_SUPPLIED)

        evidence = a_rule(a_finding(Grade.STRONG), row=35).apply(sighting, about())

        assert evidence is not None
        assert (evidence.grade, evidence.family) == (Grade.STRONG, "not-trusted")

    def test_an_answer_from_a_producer_that_is_not_trusted_settles_nothing(self) -> None:
        (found,) = findings(answered(1), about(asked(join(1))), source=NOT_TRUSTED)

        assert said([found]) == [(1, Polarity.JOINED, Grade.STRONG)]
        assert not found.settles

    def test_no_rule_finds_more_than_it_declares(self) -> None:
        context = about(asked(join(1)), asked(unjoin(1)))
        declared = {rule.name: rule.grade for rule in RULES}

        found = [evidence for fact in ONE_OF_EACH for evidence in findings(fact, context)]

        assert found
        assert all(evidence.grade <= declared[evidence.rule] for evidence in found)


class TestPairContext:
    """What a rule may look at."""

    def test_the_attempts_on_a_pair_are_those_that_name_the_other_device_first_or_second(self) -> None:
        first, second, third = asked(join(1)), replace(asked(join(2, other=PPMID)), rival=CAD), asked(join(3, other=PPMID))
        removal = asked(unjoin(4))
        context = about(first, second, third, removal)

        assert context.on_pair() == (first, second, removal)
        assert context.on_pair(Intent.JOIN) == (first, second)
        assert context.on_pair(Intent.UNJOIN) == (removal,)

    def test_the_expected_type_is_the_one_last_commanded_before_the_one_described(self) -> None:
        attempts = (asked(join(1, other_type=DeviceType.PPMID)), asked(join(2, other_type=DeviceType.HCALCS)), asked(join(3)))

        assert about(*attempts).expected_type() is DeviceType.HCALCS
        assert about(asked(join(1))).expected_type() is DeviceType.TYPE2
        assert about(asked(join(1)), types=()).expected_type() is None

    @pytest.mark.parametrize(("wire", "found"), [(700, True), (701, False), (None, False)])
    def test_an_attempt_is_found_by_its_wire_key_where_that_is_known(self, wire: int | None, found: bool) -> None:
        attempt = asked(join(1, fronted_as=wire))

        assert about(attempt).find(Intent.JOIN, CommandKey(ACB, ESME, 700)) == (attempt if found else None)

    def test_an_attempt_is_found_by_any_of_several_keys(self) -> None:
        attempt = asked(join(1))

        assert about(attempt).find(Intent.JOIN, CommandKey(ACB, ESME, 700), KEY) == attempt

    def test_a_local_command_has_a_window_as_long_as_the_installer_may_take(self) -> None:
        attempt = asked(join(1, local_only=True))

        window = about(attempt).window(attempt)

        assert window == (after(minutes=-1), after(days=3, minutes=1))

    def test_what_was_not_submitted_has_no_window(self) -> None:
        attempt = asked(join(1, submitted=False))

        assert about(attempt).window(attempt) is None

    def test_an_attempt_is_not_its_own_rival_for_a_window(self) -> None:
        attempt = asked(join(1))
        context = about(attempt)
        window = context.window(attempt)

        assert window is not None
        assert context.alone_in_window(attempt, window)


class TestCommandOrder:
    """Which of two commands a device carried out first."""

    ORDER = CommandOrder(CommandKey(ACB, ESME, 700), request_id(1))

    @pytest.mark.parametrize(
        ("other", "expected"),
        [
            pytest.param(CommandKey(ACB, ESME, 699), True, id="a lower counter"),
            pytest.param(CommandKey(ACB, ESME, 701), False, id="a higher counter"),
            pytest.param(CommandKey(ACB, ESME, 700), None, id="the same command"),
            pytest.param(CommandKey(SUPPLIER, ESME, 699), None, id="another originator on the wire"),
            pytest.param(CommandKey(OTHER_SUPPLIER, ESME, 701), None, id="a stranger"),
            pytest.param(None, None, id="a wire key that is not known"),
        ],
    )
    def test_only_counters_of_one_originator_on_the_wire_order_commands(self, other: CommandKey | None, expected: bool | None) -> None:
        assert self.ORDER.is_after(other) is expected


class TestEvidence:
    """What a finding says of itself."""

    def evidence(self, *, answer: bool, grade: Grade = Grade.CONCLUSIVE, attempt: JoinAttempt | None = None) -> Evidence:
        found = a_rule(replace(a_finding(grade), answer=answer, attempt=attempt)).apply(sighted(answered(1)), about())
        assert found is not None
        return found

    def test_a_conclusive_answer_settles_and_reaches_the_inventory_by_itself(self) -> None:
        answer = self.evidence(answer=True, attempt=asked(join(1)))

        assert (answer.settles, answer.by_person, answer.reached_inventory) == (True, False, True)

    def test_an_answer_that_is_not_conclusive_does_not_settle(self) -> None:
        answer = self.evidence(answer=True, grade=Grade.STRONG, attempt=asked(join(1)))

        assert (answer.settles, answer.by_person, answer.reached_inventory) == (False, False, False)

    def test_what_is_inferred_from_does_not_settle_however_conclusive(self) -> None:
        inferred = self.evidence(answer=False)

        assert (inferred.settles, inferred.by_person, inferred.reached_inventory) == (False, False, False)

    def test_a_persons_word_settles_and_does_not_reach_the_inventory(self) -> None:
        word = self.evidence(answer=True)

        assert (word.settles, word.by_person, word.reached_inventory) == (True, True, False)


def test_the_context_of_a_pair_knows_no_removals_unless_told() -> None:
    context = PairContext(pair=pair(), attempts=(), devices={}, policy=Policy(clock_skew=timedelta(0)))

    assert context.removed_by == {}
    assert context.type_of(ESME) is None
