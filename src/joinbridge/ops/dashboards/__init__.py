"""Dashboards: what an operations desk looks at, as data, from which Grafana's JSON and pictures of the same queries are made."""

from __future__ import annotations

from joinbridge.ops.dashboards.delivery import DELIVERY
from joinbridge.ops.dashboards.inference import INFERENCE
from joinbridge.ops.dashboards.lost import LOST
from joinbridge.ops.dashboards.overview import OVERVIEW
from joinbridge.ops.dashboards.panels import Dashboard
from joinbridge.ops.dashboards.runtime import RUNTIME

__all__ = ["DASHBOARDS"]

DASHBOARDS: tuple[Dashboard, ...] = (OVERVIEW, LOST, INFERENCE, DELIVERY, RUNTIME)
"""All of them, in the order in which one thing leads to the next."""
