"""Opens the desk of analyses, for the service and for commands alike."""

from collections.abc import Callable
from datetime import datetime

from heltig.jobs.queue import JobQueue
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.gate.spool import GateSpool
from heltig.pipeline.research.desk import ResearchDesk
from heltig.pipeline.research.fetching import Fetching
from heltig.pipeline.research.folder import ResearchFolder
from heltig.pipeline.research.plan import read_plan
from heltig.pipeline.research.publishing.desk import PublishDesk
from heltig.pipeline.research.running import Program
from heltig.pipeline.upload.spool import Spool
from heltig.settings import Settings


def research_desk(
    queue: JobQueue,
    archives: OpenArchives,
    spool: Spool,
    gate_spool: GateSpool,
    *,
    settings: Settings,
    clock: Callable[[], datetime],
) -> ResearchDesk:
    """The desk of a site.

    Args:
        queue: Where jobs are queued.
        archives: Give objects by WADO-RS, and take results.
        spool: Has the ZIPs of uploads.
        gate_spool: Has what gates and listeners hold.
        settings: The site's.
        clock: The time.

    Raises:
        ConfigurationError: The site's plan cannot be read.
    """
    folder = ResearchFolder(settings.home, place=spool.name, reserve=settings.alert_disk)
    return ResearchDesk(
        queue,
        Fetching(queue.store, archives, spool, gate_spool, settings=settings),
        folder,
        publishing=PublishDesk(queue, folder, archives, targets=settings.analysis_publish_to, clock=clock),
        settings=settings,
        plan=read_plan(settings.analysis_plan if settings.analysis_enabled else None),
        program=Program.of(settings),
        clock=clock,
    )
