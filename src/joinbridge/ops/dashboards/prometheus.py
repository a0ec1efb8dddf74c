"""Asking a Prometheus, without any library but Python's own: a picture needs two kinds of question."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 30.0


class PrometheusError(Exception):
    """A Prometheus could not be reached (`unreachable`), or refused a question."""

    def __init__(self, message: str, *, unreachable: bool) -> None:
        super().__init__(message)
        self.unreachable = unreachable


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line: its labels, and its (seconds since 1970, value) in order of time; what is no number is left out."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]

    @property
    def newest(self) -> float | None:
        """The last value, if there is any."""
        return self.points[-1][1] if self.points else None


class Prometheus:
    """The Prometheus at `url`."""

    def __init__(self, url: str) -> None:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise PrometheusError(f"{url} is no address of a Prometheus, such as http://127.0.0.1:9090", unreachable=True)
        self._url = url.rstrip("/")

    def now(self, expr: str, at: float) -> Sequence[Series]:
        """Return what `expr` is `at` that moment. Raises: PrometheusError."""
        data = self._ask("query", query=expr, time=str(at))
        if data["resultType"] == "scalar":
            return [Series(labels={}, points=_numbers([data["result"]]))]
        return [Series(labels=one["metric"], points=_numbers([one["value"]])) for one in data["result"]]

    def over(self, expr: str, start: float, end: float, step_s: float) -> Sequence[Series]:
        """Return what `expr` was from `start` to `end`, every `step_s` seconds. Raises: PrometheusError."""
        data = self._ask("query_range", query=expr, start=str(start), end=str(end), step=str(step_s))
        return [Series(labels=one["metric"], points=_numbers(one["values"])) for one in data["result"]]

    def _ask(self, what: str, **parameters: str) -> Any:  # Any: JSON
        url = f"{self._url}/api/v1/{what}"
        body = urllib.parse.urlencode(parameters).encode()
        try:
            with urllib.request.urlopen(url, data=body, timeout=TIMEOUT_S) as answer:  # noqa: S310 - http or https, see above
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            said = error.read().decode("utf-8", "replace")[:500]
            raise PrometheusError(f"{url} refused {parameters['query']}: {said}", unreachable=False) from error
        except (OSError, ValueError) as error:
            raise PrometheusError(f"{url} does not answer: {error}", unreachable=True) from error


def _numbers(values: Sequence[tuple[float, str]]) -> list[tuple[float, float]]:
    return [(float(at), number) for at, text in values if math.isfinite(number := float(text))]
