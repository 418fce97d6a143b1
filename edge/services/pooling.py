"""The services of number pools, made together."""

from dataclasses import dataclass
from datetime import timedelta

from edge.clock import Clock
from edge.services.configuration import ConfigurationService
from edge.services.numbers import NumberService
from edge.services.pool_numbers import PoolNumberService
from edge.services.pool_view import PoolViewService
from edge.services.pools import PoolService
from edge.services.visits import VisitService, VisitStore
from edge.settings.sections import PublicSection
from edge.store.duplicates import DuplicateSnippets
from edge.store.engine import Database
from edge.store.impressions import Impressions


@dataclass(frozen=True, slots=True)
class PoolServices:
    """What is asked of pools: their set-up, their numbers, what is known of them, and what browsers want."""

    setup: PoolService
    numbers: PoolNumberService
    view: PoolViewService
    visits: VisitService

    @classmethod
    def of(
        cls,
        configuration: ConfigurationService,
        numbers: NumberService,
        store: VisitStore,
        database: Database,
        *,
        clock: Clock,
        public: PublicSection,
    ) -> "PoolServices":
        """All of them over one store."""
        duplicates = DuplicateSnippets(database)
        of_pools = PoolNumberService(configuration, numbers, store, clock)
        kept, records = timedelta(days=public.keep_visits_days), Impressions(database)
        return cls(
            PoolService(configuration, clock, public.url),
            of_pools,
            PoolViewService(configuration, records, duplicates, of_pools, clock, kept=kept),
            VisitService(configuration, store, duplicates, clock, public),
        )
