"""What request handlers work with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from litestar.datastructures import State

from heltig.audit.batches import Batches
from heltig.auth.identity import Identity
from heltig.auth.refusals import Refusals
from heltig.jobs.queue import JobQueue
from heltig.pipeline.again.rescore import RescoreDesk
from heltig.pipeline.again.rule_costs import RuleCostsDesk
from heltig.pipeline.again.waiving import WaiverDesk
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.gate.custody import Custody
from heltig.pipeline.gate.quarantine import QuarantineDesk
from heltig.pipeline.identifiers.sights import Sights
from heltig.pipeline.pool import JudgingPool
from heltig.pipeline.retention.purge import PurgeDesk
from heltig.pipeline.review import ReviewDesk
from heltig.pipeline.telling.delivering import DeliveryDesk
from heltig.pipeline.telling.stream import ChangeStream
from heltig.pipeline.telling.trail_conditions import TrailWatch
from heltig.pipeline.telling.webhooks import WebhookDesk
from heltig.pipeline.upload.resuming import ResumingDesk
from heltig.pipeline.upload.uploads import UploadDesk
from heltig.rules.profile import Profile
from heltig.settings import Settings
from heltig.store.engine import Store
from heltig.store.lookups import Lookup, Lookups, minute


@dataclass(frozen=True, kw_only=True)
class Services:
    """The running parts of the service.

    Attributes:
        clock: Gives the time, in UTC.
        profile: What studies are judged with.
        is_working: Whether jobs are worked off.
    """

    settings: Settings
    profile: Profile
    clock: Callable[[], datetime]
    store: Store
    queue: JobQueue
    lookups: Lookups
    identity: Identity
    sights: Sights
    refusals: Refusals
    uploads: UploadDesk
    resuming: ResumingDesk
    waivers: WaiverDesk
    rescoring: RescoreDesk
    rule_costs: RuleCostsDesk
    purging: PurgeDesk
    gate: Custody
    quarantine: QuarantineDesk
    review: ReviewDesk
    webhooks: WebhookDesk
    deliveries: DeliveryDesk
    pool: JudgingPool
    stream: ChangeStream
    batches: Batches
    archives: OpenArchives
    trail: TrailWatch
    is_working: Callable[[], bool]

    def minute(self) -> str:
        """The present minute in UTC, as prepared answers have the end of their verdicts."""
        return minute(self.clock())

    def minute_for(self, found: Iterable[Lookup]) -> str:
        """The same, or nothing where no answer has a verdict that ends, as most do not."""
        for lookup in found:
            if lookup.valid_until:
                return self.minute()
        return ""


def services_of(state: State) -> Services:
    """The services of an application that is running."""
    services: Services = state["services"]
    return services
