"""What can go wrong in the estate, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Self

from joinbridge.simulator.parties import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Probabilities from 0 to 1, each for one occasion, unless a unit is named.

    The four `answer_lost_…` are the places of docs/domain.md, "Where answers get lost". `join_fails_and_lost` is the dangerous case: the
    device did not join and nobody hears so.

    Corruption is always detectable (truncation, broken text coding, a damaged header). Silent changes of content are not simulated: in
    the real estate the MAC or signature of the message shows them. A request is never lost to the bus for good, and one that takes a pair
    away, or asks for a log, is never late: what no observer can know is no fault that an observer can be judged by.
    """

    answer_lost_radio: float = 0.0  # device to hub
    answer_lost_wan: float = 0.0  # hub to CSP to DSP
    answer_lost_dsp: float = 0.0  # inside the DSP, before the SMI is updated
    answer_lost_user: float = 0.0  # DSP to User: the SMI is right, the answer is not published
    lossy_cells: Mapping[tuple[Region, str], float] = field(default_factory=dict)  # region, firmware: added to answer_lost_radio there
    discard_reported: float = 0.0  # a dual-band hub says by 8F2C that it dropped the message
    discard_told_by_dsp: float = 0.0  # the DSP tells the User of it by DCC Alert
    command_lost: float = 0.0  # a command never reaches its device
    command_loss_reported: float = 0.0  # by 8F84, 8F2C, E20 or N12
    command_late_after_all: float = 0.0  # of the reported: the hub delivers it all the same, hours later
    join_fails: float = 0.0  # log full, write failure, key agreement
    join_fails_and_lost: float = 0.0
    unjoin_fails: float = 0.0  # code 2
    stale_entry: float = 0.0  # per pair at installation: the log already holds O, with another type
    repeat_refusing_firmware: frozenset[str] = frozenset()  # the MP178 defect: a repeated Join is refused with code 3
    read_fails: float = 0.0  # CS07 code 1
    probe_answer_lost: float = 0.0  # the answer to a Device Log read, whoever asked
    alert_lost: float = 0.0
    time_out_reported: float = 0.0  # the DSP says E21, N13 or both when no answer came
    refused: float = 0.0  # the DSP refuses a request at once with an E code
    duplicated: float = 0.0  # on the bus
    corrupted: float = 0.0  # on the bus
    corrupted_original_follows: float = 0.0
    transit_delayed: float = 0.0  # answers and alerts: published later
    transit_delay_max: timedelta = timedelta(hours=4)
    queue_delayed: float = 0.0  # on the bus: delivered later, with the time of publication
    queue_delay_max: timedelta = timedelta(hours=2)
    types_late: float = 0.0  # an answer to Read Inventory, which tells types: delivered days later, with the time of publication
    types_late_max: timedelta = timedelta(days=8)
    clock_unset: float = 0.0  # per device: it believes that it is 2015
    clock_offset_max: timedelta = timedelta(seconds=3)

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, float | int) and not 0 <= value <= 1:
                raise ValueError(f"{each.name} is a probability, not {value}")

    @classmethod
    def none(cls) -> Self:
        """Return a world in which everything arrives, once and in time."""
        return cls(clock_offset_max=timedelta(0))

    @classmethod
    def default(cls) -> Self:
        """Return a world somewhat worse than the real one, so that a few hundred homes show everything."""
        return cls(
            answer_lost_radio=0.008,
            answer_lost_wan=0.012,
            answer_lost_dsp=0.006,
            answer_lost_user=0.006,
            discard_reported=0.7,
            discard_told_by_dsp=0.5,
            command_lost=0.006,
            command_loss_reported=0.6,
            command_late_after_all=0.1,
            join_fails=0.010,
            join_fails_and_lost=0.004,
            unjoin_fails=0.01,
            stale_entry=0.004,
            repeat_refusing_firmware=frozenset({"E2000103", "G1000207"}),
            read_fails=0.01,
            probe_answer_lost=0.05,
            alert_lost=0.01,
            time_out_reported=0.5,
            refused=0.003,
            duplicated=0.01,
            corrupted=0.001,
            corrupted_original_follows=0.5,
            transit_delayed=0.004,
            queue_delayed=0.01,
            clock_unset=0.005,
        )

    @classmethod
    def harsh(cls) -> Self:
        """Return a world in which little can be relied on."""
        return cls(
            answer_lost_radio=0.05,
            answer_lost_wan=0.06,
            answer_lost_dsp=0.04,
            answer_lost_user=0.04,
            discard_reported=0.7,
            discard_told_by_dsp=0.5,
            command_lost=0.04,
            command_loss_reported=0.7,
            command_late_after_all=0.2,
            join_fails=0.04,
            join_fails_and_lost=0.04,
            unjoin_fails=0.06,
            stale_entry=0.03,
            repeat_refusing_firmware=frozenset({"E2000103", "E1000402", "G1000207", "P1000011"}),
            read_fails=0.3,
            probe_answer_lost=0.3,
            alert_lost=0.15,
            time_out_reported=0.5,
            refused=0.02,
            duplicated=0.08,
            corrupted=0.02,
            corrupted_original_follows=0.5,
            transit_delayed=0.05,
            queue_delayed=0.08,
            types_late=0.05,
            clock_unset=0.03,
        )
