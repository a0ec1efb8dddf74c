"""The working set of a batch: what each decision sees of it."""

from __future__ import annotations

from joinbridge.core.case import Case
from joinbridge.core.ids import DeviceId, JoinPair, parse_eui64
from joinbridge.core.pair import PairRecord
from joinbridge.service.working_set import WorkingSet
from support.home import ESME, START

TARGETS = [DeviceId(parse_eui64(f"00-11-22-33-44-55-66-{number:02X}")) for number in range(40)]


def test_a_decision_sees_devices_in_their_order_not_in_that_of_a_set() -> None:
    records = [PairRecord(pair=JoinPair(target, ESME), since=START) for target in reversed(TARGETS)]
    working = WorkingSet(Case(pairs={record.pair: record for record in records}))

    seen = working.case(TARGETS)

    assert [pair.target for pair in seen.pairs] == TARGETS
