"""A research desk with a real queue, whose analyses are made by a stand-in for the program of a case."""

import sys
import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from unit.clock import Clock
from unit.connectors.upload.made import dicom
from unit.store.samples import NOW, judge, series, snapshot

from heltig.imaging.contained import Limits
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.gate.spool import GateSpool
from heltig.pipeline.research.asked import Asked
from heltig.pipeline.research.desk import ResearchDesk
from heltig.pipeline.research.fetching import Fetching
from heltig.pipeline.research.folder import ResearchFolder
from heltig.pipeline.research.ordering import FILES_KIND, KIND, Ordered, Ordering
from heltig.pipeline.research.plan import Plan
from heltig.pipeline.research.publishing.desk import PublishDesk
from heltig.pipeline.research.running import Program
from heltig.pipeline.upload.spool import Spool
from heltig.setting_types import Size
from heltig.settings import Settings
from heltig.store import analyses
from heltig.store.analyses import Analysis
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.store.shares import Share
from heltig.verdict import Readiness

STAND_IN = Path(__file__).with_name("stand_in.py")
STUDY = "1.2.3"
HERE = Location("upload", "20260301-000000000001")


class Cases:
    """A desk, and what it works with."""

    def __init__(self, store: Store, home: Path, *, plan: Plan | None = None, **settings: Any) -> None:
        self.store = store
        self.clock = Clock(NOW)
        self.queue = JobQueue(store, clock=self.clock)
        self.settings = Settings(
            home=home,
            analysis_enabled=True,
            analysis_use="research-only",
            alert_disk=Size(1),  # whatever this machine has left
            **settings,
        )
        self.home = home
        self.spool = Spool(home / "spool")
        self.gate_spool = GateSpool(
            home / "spool/gate", name=self.spool.name, reserve=self.settings.gate_reserve
        )
        self.plan = plan or Plan()
        self.desk = self.made("done")

    def made(self, end: str, *, seconds: float = 60.0, **environment: str) -> ResearchDesk:
        """A desk whose analyses end in some way."""
        archives = OpenArchives(self.store, self.settings, environ={}, clock=self.clock)
        folder = ResearchFolder(self.home, place=self.spool.name, reserve=self.settings.alert_disk)
        return ResearchDesk(
            self.queue,
            Fetching(self.store, archives, self.spool, self.gate_spool, settings=self.settings),
            folder,
            publishing=PublishDesk(
                self.queue, folder, archives, targets=self.settings.analysis_publish_to, clock=self.clock
            ),
            settings=self.settings,
            plan=self.plan,
            program=Program(
                command=(sys.executable, str(STAND_IN)),
                limits=Limits(seconds=seconds),
                environment={"STAND_IN": end, **environment},
            ),
            clock=self.clock,
        )

    async def judged(
        self,
        *,
        readiness: Readiness = "READY",
        uids: Sequence[str] = ("1.2.3.1.1", "1.2.3.1.2"),
        kept: Sequence[str] | None = None,
        location: Location = HERE,
    ) -> None:
        """A study that was judged, and the ZIP that it came in with some objects."""
        new = snapshot(
            [series(1, instances=len(uids), study=STUDY)],
            study=STUDY,
            location=location,
            modalities_in_study=("CT",),
        )
        assert new.series[0].sop_instance_uids == tuple(uids)
        await judge(self.store, new, readiness=readiness)
        with zipfile.ZipFile(self.spool.of_upload(location.name), "w") as package:
            for uid in uids if kept is None else kept:
                package.writestr(f"{uid}.dcm", dicom(uid))

    async def order(self, desk: ResearchDesk | None = None, **given: Any) -> Ordered:
        """Orders an analysis of the study."""
        asked = given.pop("asked", Asked())
        wanted = Ordering(study_key=STUDY, asked=asked, actor="key:lab", origin="10.0.0.7", **given)
        return await (desk or self.desk).order(wanted)

    async def found(self, analysis: Analysis) -> Analysis:
        """An analysis as it stands now."""
        now = await self.store.read(analyses.find, analysis.analysis_id)
        assert now is not None
        return now

    def runner(
        self,
        desk: ResearchDesk | None = None,
        *,
        places: int = 2,
        lease: timedelta = timedelta(seconds=2),
    ) -> Runner:
        """A worker."""
        share = Share(frozenset({KIND, FILES_KIND}), places)
        return Runner(
            self.queue,
            (desk or self.desk).handlers(),
            places=places,
            shares=[share],
            poll=timedelta(milliseconds=20),
            lease=lease,
        )

    async def drain(self, desk: ResearchDesk | None = None) -> None:
        """Does what is queued."""
        await self.runner(desk).drain()


@asynccontextmanager
async def working(runner: Runner) -> AsyncIterator[None]:
    """Has a worker work meanwhile."""
    import asyncio

    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        await runner.stop(grace=timedelta(0))
        await task
