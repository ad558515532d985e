"""What meters of one's own say, and how they are named."""

import pytest

from edge_vessel import meters
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.meters.line_protocol import LONGEST, Address, parse_address, parse_watts


@pytest.mark.parametrize(
    ("line", "watts"),
    [
        (b"5.132", 5.132),
        (b"5.132 W\r", 5.132),
        (b"5132 mW", 5.132),
        (b"  0W ", 0.0),
        (b"+3.5 W", 3.5),
        (b"-0.02 W", -0.02),
        (b"", None),
        (b"  \r", None),
        (b"# my meter, 1 %", None),
    ],
)
def test_a_line(line: bytes, watts: float | None) -> None:
    assert parse_watts(line, "meter") == pytest.approx(watts)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"nan", "no reading"),
        (b"inf W", "no reading"),
        (b"1e3 W", "no reading"),
        (b"5,1 W", "no reading"),
        (b"5.1 kW", "no reading"),
        (b"5.1 W 3", "no reading"),
        (b"\xff\x00\x1b[2J", r"b'\\xff\\x00\\x1b\[2J' is no reading"),
        (b"5000 W", "5000 W is no board's power"),
        (b"-5 W", "-5 W is no board's power; swap the wires"),
        (b"9" * 40, "no reading"),
        (b"1" * (LONGEST + 1), "over 64 bytes"),
    ],
)
def test_nonsense_in_a_line(line: bytes, says: str) -> None:
    with pytest.raises(DeviceError, match=f"^meter: .*{says}"):
        parse_watts(line, "meter")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/dev/ttyUSB0", Address("/dev/ttyUSB0", None, None)),
        ("/dev/ttyUSB0,baud=9600,accuracy=1.5", Address("/dev/ttyUSB0", 9600, 0.015)),
        ("http://10.0.0.7/a,b?c=d,accuracy=2", Address("http://10.0.0.7/a,b?c=d", None, 0.02)),
    ],
)
def test_an_address(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("serial:/dev/null,accuracy=good", "accuracy=good: per cent"),
        ("serial:/dev/null,accuracy=100", "accuracy=100: per cent"),
        ("serial:/dev/null,baud=fast", "baud=fast: a number"),
        ("serial:/dev/null,baud=12345", "baud=12345: no port's speed"),
        ("serial:/dev/null,baud=0", "baud=0: no port's speed"),
        ("http://meter.example/watts", "with an IP address or localhost"),
        ("http://127.0.0.1:99999/", "with an IP address or localhost"),
        ("http:///watts", "with an IP address or localhost"),
        ("http://user:geheim@127.0.0.1/", "a name and password are not sent"),
        ("http://user:geheim@127.0.0.1:0/", "a name and password are not sent"),
        ("http://127.0.0.1/a b", "must be escaped"),
        ("http://127.0.0.1/a\nb", "must be escaped"),
        ("http://127.0.0.1:0/", "with an IP address or localhost"),
        ("http://127.0.0.1/watts#2", "with an IP address or localhost"),
        ("http://127.0.0.1/watts,baud=300", "baud=300 is a serial port's; leave it out"),
        ("serial:/dev/null,accuracy=1,accuracy=2", "accuracy=1,accuracy=2: give each option once"),
        ("serial:/dev/null,baud=9600,accuracy=2,baud=9600", "give each option once"),
    ],
)
def test_an_address_that_cannot_be(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        meters.find(spec)
    assert "geheim" not in str(caught.value)
