"""A line of five tiny stages with the groups and partitions of the real one, and facts made by hand."""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from assets.lake import Key
from assets.ledger import Stamp
from assets.partitions import daily
from assets.study import Home, Study
from pipeline.plan import Facts, UnitFacts

MONDAY, TUESDAY, FRIDAY = (date(2026, 3, day) for day in (2, 3, 6))
P1 = {day: Key("P1", day) for day in (MONDAY, TUESDAY, FRIDAY)}


class Toy:
    """Where a toy study stands, and the assets that change it; `computed` records the days each run asked for."""

    def __init__(self) -> None:
        self.new: list[str] = []
        self.wanted: dict[Key, str] = {}
        self.stamps: dict[Key, Stamp] = {}
        self.learnt: str | None = None
        self.computed: list[tuple[str, str]] = []
        self.fail = False

    def look(self, _home: Home, _study: Study) -> Facts:
        learnable = str(sorted(map(str, self.stamps))) if self.stamps else None
        return Facts(
            tuple(self.new),
            [UnitFacts("recordings", "1", dict(self.wanted), dict(self.stamps))],
            learnable,
            self.learnt,
        )

    def ingest(self, _home: Home, study: Study) -> list[dg.AssetsDefinition]:
        @dg.asset(group_name="ingest")
        def dumps() -> dg.MaterializeResult[None]:
            """A new file is one day of P1: `<date>.zip`."""
            self.wanted |= {Key("P1", date.fromisoformat(name.removesuffix(".zip"))): "x" for name in self.new}
            self.new = []
            return dg.MaterializeResult()

        @dg.multi_asset(
            specs=[dg.AssetSpec(name, deps=["dumps"], group_name="ingest") for name in ("signals", "events")],
            partitions_def=daily(study),
            backfill_policy=dg.BackfillPolicy.single_run(),
        )
        def recordings(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
            days = context.partition_keys
            self.computed.append((days[0], days[-1]))
            due = {key: inputs for key, inputs in self.wanted.items() if str(key.date) in days}
            self.stamps |= {key: Stamp(inputs, "1", {"signals": inputs}) for key, inputs in due.items()}
            for name in ("signals", "events"):
                yield dg.MaterializeResult(asset_key=name)

        return [dumps, recordings]

    def features(self, _home: Home, study: Study) -> list[dg.AssetsDefinition]:
        @dg.asset(
            deps=["signals"],
            group_name="features",
            partitions_def=daily(study),
            backfill_policy=dg.BackfillPolicy.single_run(),
        )
        def hrv() -> dg.MaterializeResult[None]:
            return dg.MaterializeResult()

        return [hrv]

    def learning(self, home: Home, study: Study) -> list[dg.AssetsDefinition | dg.AssetChecksDefinition]:
        @dg.asset(deps=["hrv"], group_name="moments")
        def moments() -> dg.MaterializeResult[None]:
            if self.fail:
                message = "P1 has no answers\nand more"
                raise ValueError(message)
            return dg.MaterializeResult()

        @dg.asset(deps=["moments"], group_name="learning")
        def champion() -> dg.MaterializeResult[None]:
            self.learnt = self.look(home, study).learnable
            return dg.MaterializeResult()

        return [moments, champion]

    @property
    def stages(self) -> tuple:
        return self.ingest, self.features, self.learning
