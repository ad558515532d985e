#!/bin/sh
# Installs this bundle on the board, or upgrades what is there; again is no harm. No network, no
# compiler. A step that fails leaves the board as it was.
#
#   install.sh [--no-service] [--allow-unsigned]
#   install.sh --uninstall [--keep-data]
#
# SHA256SUMS tells damage, not who made the bundle: a script cannot vouch for itself. Check the
# signature before you run it; deploy/README.md says how.
set -eu

HOME_DIR=/opt/edge-vessel
DATA=/var/lib/edge-vessel
KEYS=/etc/edge-vessel
UNITS=/etc/systemd/system
RULES=/etc/udev/rules.d
COMMANDS=/usr/local/bin
SERVICE=edge-vessel.service
USER_NAME=edge-vessel
OLDEST_YEAR=2024 # an earlier clock has never been set

say() { printf '%s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$1" >&2
  exit "${2:-3}"
}
setting() { sed -n "s/^$1=//p" bundle.conf; }
systemd_runs() { [ -d /run/systemd/system ]; }

service=yes unsigned='' uninstall='' keep=''
for option in "$@"; do
  case $option in
    --no-service) service='' ;;
    --allow-unsigned) unsigned=--allow-unsigned ;;
    --uninstall) uninstall=yes ;;
    --keep-data) keep=yes ;;
    *) fail "$option: unknown; --no-service, --allow-unsigned, --uninstall, --keep-data" 2 ;;
  esac
done
[ "$(id -u)" = 0 ] || fail "not root: sudo $0 $*" 2

remove() {
  if systemd_runs; then systemctl disable --now "$SERVICE" 2>/dev/null || true; fi
  rm -f "$UNITS"/edge-vessel*.service "$RULES"/*-edge-vessel.rules
  rm -f "$COMMANDS/edge-vessel" "$COMMANDS/edge-vessel-bench"
  rm -rf "$HOME_DIR"
  if systemd_runs; then systemctl daemon-reload; fi
  if [ -z "$keep" ]; then
    rm -rf "$DATA" "$KEYS"
    if id "$USER_NAME" >/dev/null 2>&1; then userdel "$USER_NAME"; fi
    say "edge-vessel is removed"
  else
    say "edge-vessel is removed; $DATA, $KEYS and the user $USER_NAME are kept"
  fi
}
if [ -n "$uninstall" ]; then
  remove
  exit 0
fi
[ -z "$keep" ] || fail "--keep-data: goes with --uninstall" 2

cd "$(dirname "$0")"
[ -f bundle.conf ] && [ -f SHA256SUMS ] || fail "$(pwd): is no whole bundle: unpack it again" 4
sha256sum --check --strict --quiet SHA256SUMS >/dev/null 2>&1 ||
  fail "$(pwd): is damaged: $(sha256sum --check SHA256SUMS 2>/dev/null | grep -v ': OK$' | head -n 1); copy the bundle again" 4

# What the board must have, before anything is written.
machine=$(setting machine) python=python$(setting python)
[ "$(uname -m)" = "$machine" ] ||
  fail "the bundle is for $machine, this board is $(uname -m): make one with --target" 4
command -v "$python" >/dev/null ||
  fail "no $python here: install it, or make the bundle with --python $(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo VERSION)" 4
"$python" -c 'import venv, zlib, ssl' 2>/dev/null ||
  fail "$python lacks its module venv, zlib or ssl: install the system's whole Python" 4
[ "$(date +%Y)" -ge "$OLDEST_YEAR" ] ||
  fail "the clock says $(date +%F): set it (timedatectl set-time), logs and locks go by it"
total_mb=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024))
[ "$total_mb" -ge "$(setting memory_mb)" ] ||
  fail "the artifact needs $(setting memory_mb) MB of memory, this board has $total_mb: bundle a smaller one, such as m2unet-fundus-544"
existing=$HOME_DIR
while [ ! -d "$existing" ]; do existing=$(dirname "$existing"); done
free_mb=$(($(df -Pk "$existing" | awk 'NR == 2 { print $4 }') / 1024))
[ "$free_mb" -ge "$(setting disk_mb)" ] ||
  fail "$HOME_DIR: $(setting disk_mb) MB are needed, $free_mb are free: make room"
if [ -n "$service" ] && ! systemd_runs; then
  fail "systemd does not run here: install without the service, --no-service"
fi

release=$HOME_DIR/releases/$(setting version)-$(sha256sum SHA256SUMS | cut -c 1-8)
new=''
undo() {
  code=$?
  if [ "$code" != 0 ] && [ -n "$new" ]; then rm -rf "$release"; fi
  exit "$code"
}
trap undo EXIT
trap 'exit 130' INT TERM HUP

if [ ! -f "$release/complete" ]; then
  say "installing into $release"
  rm -rf "$release"
  new=yes
  mkdir -p "$HOME_DIR/releases"
  # Debian packs ensurepip apart: the bundle has a pip of its own.
  "$python" -m venv --without-pip "$release"
  pip=$(echo wheels/pip-*.whl)
  "$release/bin/python" "$pip/pip" --quiet --disable-pip-version-check \
    --no-cache-dir install --no-index --find-links wheels edge-vessel ||
    fail "pip could not install the wheels; the lines above say why"
  mkdir -p "$release/share"
  cp -R bench "$release/share/"
fi
for key in trusted.d/*.pem; do
  if [ -e "$key" ]; then
    mkdir -p "$KEYS/trusted.d"
    install -m 644 "$key" "$KEYS/trusted.d/"
  fi
done
id "$USER_NAME" >/dev/null 2>&1 ||
  useradd --system --no-create-home --home-dir "$DATA" --groups video \
    --shell "$(command -v nologin || echo /bin/false)" "$USER_NAME"

artifact=$(setting artifact)
[ ! -d "artifacts/$artifact" ] || artifact=$(pwd)/artifacts/$artifact
# In a slot it is proven on this very board: signature, hashes, target, golden self-test.
"$release/bin/edge-vessel" slots install "$artifact" $unsigned >/dev/null || exit $?

touch "$release/complete"
new=''
before=$(readlink "$HOME_DIR/current" || true)
ln -sfn "$release" "$HOME_DIR/current.new"
mv -T "$HOME_DIR/current.new" "$HOME_DIR/current"
mkdir -p "$COMMANDS"
ln -sf "$HOME_DIR/current/bin/edge-vessel" "$COMMANDS/edge-vessel"
cat >"$COMMANDS/edge-vessel-bench" <<END
#!/bin/sh
PYTHONPATH=$HOME_DIR/current/share exec $HOME_DIR/current/bin/python -m bench "\$@"
END
chmod 755 "$COMMANDS/edge-vessel-bench"
# The release before stays, to go back to; older ones go.
for old in "$HOME_DIR"/releases/*; do
  [ "$old" = "$release" ] || [ "$old" = "$before" ] || rm -rf "$old"
done
if [ -n "$service" ]; then
  mkdir -p "$RULES"
  install -m 644 systemd/*.service "$UNITS/"
  install -m 644 udev/*.rules "$RULES/"
  udevadm control --reload 2>/dev/null || true
  systemctl daemon-reload
  systemctl enable --quiet "$SERVICE"
  # It is up with its first frame: a board without a camera would wait here for minutes.
  systemctl --no-block restart "$SERVICE"
fi
say "installed $(setting version) for $(setting target); runs $(setting artifact)"
"$release/bin/edge-vessel" doctor --model "$artifact" $unsigned || say "the doctor has something to say: see above"
