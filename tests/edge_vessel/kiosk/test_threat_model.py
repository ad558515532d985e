"""docs/threat_model.md names the code that keeps a promise and the tests that hold it to that."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
# As the document's first paragraph says: for what a path may be short.
_PLACES = ("", "deploy", "edge_vessel", "edge_vessel/kiosk", "edge_vessel/biometrics")
_PLACES += ("tests/edge_vessel",)


def test_all_that_it_names_is_there() -> None:
    text = (ROOT / "docs/threat_model.md").read_text()
    named = set(re.findall(r"`([A-Za-z_/.-]+\.(?:py|sh|js|service))`", text))
    assert {"lockout.py", "biometrics/test_lockout.py", "install.sh"} <= named
    missing = {
        name for name in named if not any((ROOT / place / name).is_file() for place in _PLACES)
    }
    assert missing == set()
