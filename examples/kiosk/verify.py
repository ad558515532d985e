"""python verify.py SUBJECT: exit 0 where the kiosk says, under its signature, that it is SUBJECT.

KIOSK_TOKEN holds a terminal's token, KIOSK_KEY names the device's public key, KIOSK the address.
"""

import base64
import http.client
import json
import os
import secrets
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_public_key

device = load_pem_public_key(Path(os.environ["KIOSK_KEY"]).read_bytes())
asked = {"operation": "verify", "subject": sys.argv[1], "nonce": secrets.token_urlsafe(24)}
body = json.dumps({"subject": asked["subject"], "nonce": asked["nonce"]})
headers = {"Authorization": f"Bearer {os.environ['KIOSK_TOKEN']}"}
kiosk = http.client.HTTPConnection(os.environ.get("KIOSK", "127.0.0.1:8471"), timeout=120)
kiosk.request("POST", "/v1/verify", body, headers | {"Content-Type": "application/json"})
answer = kiosk.getresponse()
result = json.load(answer)
if answer.status != 200:
    sys.exit(result["error"])
signature = base64.b64decode(result.pop("signature"))
signed = json.dumps(result, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
device.verify(signature, signed.encode())  # or raises InvalidSignature
print(result["status"])
sys.exit(0 if result["status"] == "match" and asked.items() <= result.items() else 1)
