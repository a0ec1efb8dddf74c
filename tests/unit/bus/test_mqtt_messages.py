"""What an MQTT message is: by its topic, its properties and its flags; and which settings of a broker are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from joinbridge.bus.mqtt.connection import broker
from joinbridge.bus.mqtt.messages import Arrival, to_delivery
from joinbridge.bus.mqtt.topics import TopicPattern, alert_topics
from joinbridge.config import Mqtt
from joinbridge.errors import ConfigError
from joinbridge.ports import Delivery

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALERTS = alert_topics()


def delivery(topic: str = "csp/north/alerts/8F12", patterns: tuple[TopicPattern, ...] = (ALERTS,), **fields: object) -> Delivery:
    whole: dict[str, object] = {"topic": topic, "body": b"x", "at": NOON, "qos": 1, "mid": 7, "duplicate": False, **fields}
    return to_delivery(Arrival(**whole), patterns, tag=3)  # type: ignore[arg-type]  # fields of any type


def test_the_topic_of_an_alert_says_its_region_and_its_route_on_the_exchange() -> None:
    found = delivery("csp/north/alerts/8F12")

    assert (found.source, found.region, found.route, found.tag) == ("csp.alert", "north", "north.8F12", 3)


def test_the_topic_for_a_route_is_the_one_that_gives_it() -> None:
    pattern = alert_topics("{region}/x.y/{code}")

    topic = pattern.topic_of("north.8F12")

    assert topic == "north/x.y/8F12"
    assert delivery(topic, (pattern,)).route == "north.8F12"


def test_the_filter_has_a_wildcard_for_each_placeholder() -> None:
    assert ALERTS.filter == "csp/+/alerts/+"
    assert alert_topics("{region}/x.y/{code}").filter == "+/x.y/+"


@pytest.mark.parametrize("topic", ["csp/north/alerts", "csp/north/alerts/8F12/more", "dsp/north/alerts/8F12", "xcsp/north/alerts/8F12"])
def test_a_topic_that_fits_no_pattern_is_of_a_source_that_nobody_trusts(topic: str) -> None:
    found = delivery(topic)

    assert (found.source, found.region, found.route) == ("mqtt", None, topic.replace("/", "."))


def test_a_full_stop_in_a_pattern_is_only_a_full_stop() -> None:
    assert delivery("xay/north/8F12", (alert_topics("x.y/{region}/{code}"),)).source == "mqtt"


def test_the_first_pattern_that_fits_wins() -> None:
    special = TopicPattern(topic="csp/{region}/alerts/8071", source="special", route="{region}")

    assert delivery("csp/south/alerts/8071", (special, ALERTS)).source == "special"
    assert delivery("csp/south/alerts/8F12", (special, ALERTS)).source == "csp.alert"


def test_key_and_time_are_properties_and_the_others_are_headers() -> None:
    found = delivery(properties=(("id", "k"), ("time", "2026-03-01T10:30:00+01:00"), ("traceparent", "00-1-2-01")))

    assert (found.key, found.at, found.headers) == ("k", NOON - timedelta(hours=2, minutes=30), {"traceparent": "00-1-2-01"})


@pytest.mark.parametrize("time", ["", "yesterday", "2026-03-01T10:30:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_is_no_moment_gives_way_to_the_arrival(time: str) -> None:
    assert delivery(properties=(("time", time),)).at == NOON


def test_the_content_type_is_the_publishers_or_says_nothing() -> None:
    assert delivery(content_type="application/vnd.gbcs+hex").content_type == "application/vnd.gbcs+hex"
    assert delivery().content_type == "application/octet-stream"


def test_a_duplicate_was_delivered_before() -> None:
    assert (delivery().redelivered, delivery().attempts) == (False, 1)
    assert (delivery(duplicate=True).redelivered, delivery(duplicate=True).attempts) == (True, 2)


@pytest.mark.parametrize(
    ("url", "port", "tls", "username", "password"),
    [
        ("mqtt://broker", 1883, False, None, None),
        ("mqtts://broker", 8883, True, None, None),
        ("mqtt://join:p%40ss%2F@broker:1884/", 1884, False, "join", "p@ss/"),
    ],
)
def test_the_url_says_where_the_broker_is_and_who_we_are(
    url: str, port: int, tls: bool, username: str | None, password: str | None
) -> None:
    found = broker(Mqtt.model_validate({"url": url}))

    assert (found.host, found.port, found.tls, found.username, found.password) == ("broker", port, tls, username, password)


@pytest.mark.parametrize(
    "url", [None, "", "amqp://broker", "mqtt://", "broker:1883", "mqtt://broker:port", "mqtt://u:pa#ss@broker", "mqtt://[broken"]
)
def test_what_is_no_broker_is_refused(url: str | None) -> None:
    with pytest.raises(ConfigError, match=r"^mqtt\.url: must be"):
        broker(Mqtt.model_validate({"url": url}))


@pytest.mark.parametrize(
    "topic",
    ["csp/+/alerts/{code}", "csp/{region}/alerts", "{region}/{region}/{code}", "csp/{region}/{code}/#", "{region}/{code", "{0}/{code}"],
)
def test_a_topic_without_both_names_or_with_other_wildcards_is_refused(topic: str) -> None:
    with pytest.raises(ValidationError, match=r"must name \{region\} and \{code\} once each"):
        Mqtt(topic=topic)
