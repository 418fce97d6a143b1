"""``/metrics`` for Prometheus: few series, gathered when asked (admin listener only)."""

from collections.abc import Iterable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from edge.admin.ports import Figures, Sample
from edge.admin.problem import Handler


class _Collector(Collector):
    """The server's figures as Prometheus families."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for sample in self._figures.samples():
            family = families.get(sample.name)
            if family is None:
                family = families[sample.name] = _family(sample)
            _add(family, sample)
        return families.values()


def _family(sample: Sample) -> Metric:
    kind = CounterMetricFamily if sample.kind == "counter" else GaugeMetricFamily
    return kind(sample.name, sample.description, labels=[name for name, _ in sample.labels])


def _add(family: Metric, sample: Sample) -> None:
    assert isinstance(family, CounterMetricFamily | GaugeMetricFamily)
    family.add_metric([value for _, value in sample.labels], sample.value)


def metrics(figures: Figures) -> Handler:
    """The page's handler, over a registry of its own."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(figures))
    ProcessCollector(registry=registry)

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return handle
