#!/bin/sh
# verify.sh SUBJECT: exit 0 where the kiosk says, under its signature, that it is SUBJECT.
# KIOSK_TOKEN holds a terminal's token, KIOSK_KEY names the device's public key, KIOSK the address.
set -eu
subject=$1
case $subject in '' | *[!a-z0-9._-]*) echo "no subject id" >&2; exit 2 ;; esac
nonce=$(openssl rand -hex 24)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# The token comes through a file: everybody on the machine can read arguments.
printf 'header = "Authorization: Bearer %s"\n' "$KIOSK_TOKEN" >"$folder/curl"
printf '{"subject":"%s","nonce":"%s"}' "$subject" "$nonce" |
  curl --silent --show-error --fail --noproxy '*' --config "$folder/curl" --json @- \
    --output "$folder/result" "http://${KIOSK:-127.0.0.1:8471}/v1/verify"

# The kiosk answers in the very form that it signed; only the signature was added.
sed 's/,"signature":"[^"]*"//' "$folder/result" | tr -d '\n' >"$folder/signed"
sed 's/.*"signature":"\([^"]*\)".*/\1/' "$folder/result" | base64 --decode >"$folder/signature"
openssl pkeyutl -verify -pubin -inkey "$KIOSK_KEY" -rawin -in "$folder/signed" \
  -sigfile "$folder/signature" >/dev/null

for expected in '"operation":"verify"' "\"subject\":\"$subject\"" "\"nonce\":\"$nonce\""; do
  grep -qF "$expected" "$folder/signed"
done
sed 's/.*"status":"\([a-z_]*\)".*/\1/' "$folder/signed"
echo
grep -qF '"status":"match"' "$folder/signed"
