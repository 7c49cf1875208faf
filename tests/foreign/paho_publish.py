#!/usr/bin/env python3
"""Eclipse paho publishes to the endpoint or to a broker: MQTT 3.1.1 and 5, QoS 0, 1 and 2.

    paho_publish.py HOST:PORT [--readings N] [--agency A] [--start-ms T] [--endpoint]
                    [--user NAME --password P]

For each of the six combinations a sensor `{agency}/paho-{v311|v5}-q{0|1|2}` describes itself
(retained) and publishes N readings in one batch each, half as JSON and half one by one, at known
event times. Asserts the reason codes: CONNACK success, PUBACK and PUBCOMP success, and with
--endpoint that subscriptions are refused (an endpoint is not a broker), that an ordinary DISCONNECT
ends the session, and that a message with an unknown topic is acknowledged like any other.

Prints one JSON object: per sensor, what was sent, so that a test can ask the twin for it. Exits
with 1 at the first broken promise.
"""

import argparse
import json
import sys
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

TIMEOUT_S = 20
VERSIONS = {"v311": mqtt.MQTTv311, "v5": mqtt.MQTTv5}


class Broken(Exception):
    """A promise of the server was not kept."""


def check(holds, what):
    if not holds:
        raise Broken(what)


class Publisher:
    """One session; waits for every acknowledgement."""

    def __init__(self, options, version, name):
        arguments = {"clean_session": True} if version == "v311" else {}
        self.version = version
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            protocol=VERSIONS[version],
            **arguments,
        )
        if options.user:
            self.client.username_pw_set(options.user, options.password)
        self.changed = threading.Condition()
        self.connected = None
        self.acknowledged = {}
        self.subscribed = {}
        self.disconnected = False
        self.client.on_connect = self.on_connect
        self.client.on_publish = self.on_publish
        self.client.on_subscribe = self.on_subscribe
        self.client.on_disconnect = self.on_disconnect
        host, port = options.server.rsplit(":", 1)
        self.client.connect(host.strip("[]"), int(port), keepalive=30)
        self.client.loop_start()
        self.wait(lambda: self.connected is not None, "no CONNACK")
        check(not self.connected.is_failure, f"CONNACK says {self.connected}")

    def wait(self, until, what):
        with self.changed:
            check(self.changed.wait_for(until, TIMEOUT_S), f"{self.version}: {what}")

    def on_connect(self, _client, _data, _flags, reason, _properties):
        with self.changed:
            self.connected = reason
            self.changed.notify_all()

    def on_publish(self, _client, _data, mid, reason, _properties):
        with self.changed:
            self.acknowledged[mid] = reason
            self.changed.notify_all()

    def on_subscribe(self, _client, _data, mid, reasons, _properties):
        with self.changed:
            self.subscribed[mid] = reasons
            self.changed.notify_all()

    def on_disconnect(self, *_arguments):
        with self.changed:
            self.disconnected = True
            self.changed.notify_all()

    def publish(self, topic, payload, qos, retain=False, content_type=None):
        properties = None
        if self.version == "v5" and content_type:
            properties = Properties(PacketTypes.PUBLISH)
            properties.ContentType = content_type
        sent = self.client.publish(topic, payload, qos, retain, properties)
        check(sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS, f"publish: {sent.rc}")
        self.wait(lambda: sent.mid in self.acknowledged, f"QoS {qos} to {topic}: no answer")
        reason = self.acknowledged[sent.mid]
        # A broker without subscribers says so (0x10); that is a success, too.
        check(not reason.is_failure, f"QoS {qos} to {topic}: answered {reason}")
        return str(reason)

    def subscribe_is_refused(self):
        result, mid = self.client.subscribe("city/v1/#", 1)
        check(result == MQTTErrorCode.MQTT_ERR_SUCCESS, f"subscribe: {result}")
        self.wait(lambda: mid in self.subscribed, "no SUBACK")
        reasons = self.subscribed[mid]
        check(reasons and all(r.is_failure for r in reasons), f"SUBACK says {reasons}")
        return [str(reason) for reason in reasons]

    def close(self):
        check(not self.disconnected, "the server closed the connection")
        self.client.disconnect()
        self.wait(lambda: self.disconnected, "DISCONNECT did not end the session")
        self.client.loop_stop()


def describe(options, number):
    return {
        "kind": "SENSOR_KIND_RADAR",
        "latitude_deg": 10.77 + number / 1000,
        "longitude_deg": 106.70,
        "expected_interval_ms": 10_000,
        "name": f"paho {number}",
    }


def run_one(options, number, version, qos):
    sensor = f"paho-{version}-q{qos}"
    topic = f"city/v1/{options.agency}/{sensor}"
    publisher = Publisher(options, version, f"{options.agency}-{sensor}")
    reasons = [
        publisher.publish(
            f"{topic}/about",
            json.dumps(describe(options, number)),
            qos,
            retain=True,
            content_type="application/json",
        )
    ]
    readings = [
        {
            "quantity": "QUANTITY_SPEED_KMH",
            "event_time_ms": options.start_ms + index * 100,
            "value": 20.0 + number + index / 4,
        }
        for index in range(options.readings)
    ]
    half = len(readings) // 2
    batches = [readings[:half]] if half else []
    batches += [[reading] for reading in readings[half:]]
    for batch in batches:
        reasons.append(
            publisher.publish(f"{topic}/readings", json.dumps({"readings": batch}), qos)
        )
    answer = {
        "sensor": f"{options.agency}/{sensor}",
        "version": version,
        "qos": qos,
        "messages": len(batches) + 1,
        "readings": [[r["event_time_ms"], r["value"]] for r in readings],
        "sum": sum(reading["value"] for reading in readings),
        "reasons": sorted(set(reasons)),
    }
    if options.endpoint:
        answer["subscribe"] = publisher.subscribe_is_refused()
        publisher.publish(f"elsewhere/{sensor}", b"\x00", qos)
    publisher.close()
    return answer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server", metavar="HOST:PORT")
    parser.add_argument("--readings", type=int, default=20, help="of each sensor")
    parser.add_argument("--agency", default="foreign")
    parser.add_argument("--start-ms", type=int, help="first event time; default: 5 s ago")
    parser.add_argument("--endpoint", action="store_true", help="it is no broker")
    parser.add_argument("--user")
    parser.add_argument("--password")
    options = parser.parse_args()
    if options.start_ms is None:
        options.start_ms = int(time.time() * 1000) - 5_000
    combinations = [(version, qos) for version in VERSIONS for qos in (0, 1, 2)]
    try:
        sent = [run_one(options, n, *combination) for n, combination in enumerate(combinations)]
    except (Broken, OSError) as problem:
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
        return 1
    print(json.dumps({"sent": sent}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
