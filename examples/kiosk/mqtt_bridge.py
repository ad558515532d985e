"""Tells an MQTT broker what happens at the kiosk. No image, template, score or name leaves it.

PREFIX/availability   online or offline, retained; offline too when this program dies (last will)
PREFIX/EVENT          JSON of the fields that TOLD names, as it happens
"""

import argparse
import contextlib
import http.client
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

# What is not named here is not passed on, whatever the kiosk may tell one day.
TOLD = {
    "capture_started": ("operation",),
    "capture_taken": ("number", "of"),
    "result": ("operation", "status"),
    "camera": ("state",),
    "locked": ("wait_s",),
}
SILENCE_S = 40  # the kiosk says something every 15 s
AGAIN_S = 2


def main() -> int:
    """Until SIGTERM."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    broker = Broker(options)
    try:
        while True:
            try:
                for name, told in events(options.kiosk, os.environ["KIOSK_TOKEN"]):
                    broker.available("online")
                    if name in TOLD:
                        broker.tell(name, {field: told[field] for field in TOLD[name]})
            except (OSError, http.client.HTTPException) as error:
                logging.info("%s: %s", options.kiosk, error)
            broker.available("offline")
            time.sleep(AGAIN_S)
    finally:
        broker.close()


def arguments() -> argparse.Namespace:
    """KIOSK_TOKEN is read from the environment, MQTT_PASSWORD too."""
    parser = argparse.ArgumentParser(description="Tells an MQTT broker what happens at the kiosk.")
    parser.add_argument("--kiosk", default="127.0.0.1:8471", metavar="HOST:PORT")
    parser.add_argument("--broker", default="127.0.0.1", metavar="HOST")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--tls", action="store_true", help="needed for a broker elsewhere")
    parser.add_argument("--user", help="with MQTT_PASSWORD")
    parser.add_argument("--prefix", default="edge-vessel/kiosk", metavar="TOPIC")
    if "KIOSK_TOKEN" not in os.environ:
        parser.error("KIOSK_TOKEN: not set; edge-vessel kiosk token add makes one")
    return parser.parse_args()


class Broker:
    """Connects when it can, and again whenever it has to. What happens meanwhile is not told
    later: an hour-old result helps nobody."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._prefix = options.prefix
        self._state = "offline"
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda *_: self._say()
        self._client.on_disconnect = lambda *_: logging.info("%s: left", options.broker)
        self._client.will_set(f"{self._prefix}/availability", "offline", qos=1, retain=True)
        self._client.reconnect_delay_set(1, 30)
        if options.tls:
            self._client.tls_set()
        if options.user:
            self._client.username_pw_set(options.user, os.environ["MQTT_PASSWORD"])
        self._client.connect_async(options.broker, options.port, keepalive=30)
        self._client.loop_start()

    def available(self, state: str) -> None:
        """Says so where it is news."""
        if state != self._state:
            self._state = state
            self._say()

    def tell(self, name: str, told: dict[str, object]) -> None:
        """Once, or never where there is no broker."""
        self._client.publish(f"{self._prefix}/{name}", json.dumps(told))

    def close(self) -> None:
        """A farewell in order does not bring out the last will."""
        self.available("offline")
        self._client.disconnect()
        self._client.loop_stop()

    def _say(self) -> None:
        self._client.publish(f"{self._prefix}/availability", self._state, retain=True)


def events(kiosk: str, token: str) -> Iterator[tuple[str, dict[str, object]]]:
    """The kiosk's server-sent events by name; "" for a sign of life."""
    connection = http.client.HTTPConnection(kiosk, timeout=SILENCE_S)
    with contextlib.closing(connection):
        connection.request("GET", "/v1/events", headers={"Authorization": f"Bearer {token}"})
        stream = connection.getresponse()
        if stream.status != http.client.OK:
            raise OSError(f"HTTP {stream.status}: {stream.read(500).decode(errors='replace')}")
        name = ""
        for line in stream:
            field, _, value = line.decode().rstrip("\r\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                yield name, json.loads(value)
            elif field == "":
                yield "", {}


if __name__ == "__main__":
    sys.exit(main())
