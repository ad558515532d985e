#!/bin/sh
# Installs this bundle on the board, or upgrades what is there; again is no harm. No network, no
# compiler. Where a step fails, the board goes on with what it ran.
#
#   install.sh [--no-service | --kiosk] [--allow-downgrade]
#   install.sh --uninstall [--keep-data]
#
# SHA256SUMS tells damage, not who made the bundle: a script cannot vouch for itself. Check the
# signature before you run it; deploy/README.md says how.
set -eu
# The service's user has to read what root installs, whatever root's own umask is.
umask 022
# What is set for another Python would decide what runs here.
unset PYTHONPATH PYTHONHOME

HOME_DIR=/opt/edge-vessel
DATA=/var/lib/edge-vessel
KEYS=/etc/edge-vessel
UNITS=/etc/systemd/system
RULES=/etc/udev/rules.d
COMMANDS=/usr/local/bin
LOCK=/run/edge-vessel-install.lock
SERVICE=edge-vessel.service
KIOSK=edge-vessel-kiosk.service
RULE=70-edge-vessel.rules
USER_NAME=edge-vessel
OLDEST_YEAR=2024 # an earlier clock has never been set

say() { printf '%s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$1" >&2
  exit "${2:-3}"
}
setting() { sed -n "s/^$1=//p" bundle.conf; }
systemd_runs() { [ -d /run/systemd/system ]; }
# Of a file in $COMMANDS: whether it is ours to replace or to remove.
ours() {
  case $(readlink "$1" || true) in "$HOME_DIR"/*) return 0 ;; esac
  grep -qsF "$HOME_DIR/current" "$1"
}
# What lies in $DATA is the service's user's, links to where it may not write itself among it: there
# nothing is made or run with root's rights, nor with the lock in hand.
as_user() { setpriv --reuid "$USER_NAME" --regid "$USER_NAME" --init-groups "$@" 9>&-; }
# Megabytes free where a folder is, or will be.
free_mb() {
  existing=$1
  while [ ! -d "$existing" ]; do existing=$(dirname "$existing"); done
  echo $(($(df -Pk "$existing" | awk 'NR == 2 { print $4 }') / 1024))
}

service=yes kiosk='' downgrade='' uninstall='' keep=''
for option in "$@"; do
  case $option in
    --no-service) service='' ;;
    --kiosk) kiosk=yes ;;
    --allow-downgrade) downgrade=--allow-downgrade ;;
    --uninstall) uninstall=yes ;;
    --keep-data) keep=yes ;;
    *) fail "$option: unknown; --no-service, --kiosk, --allow-downgrade, --uninstall, --keep-data" 2 ;;
  esac
done
[ "$(id -u)" = 0 ] || fail "not root: sudo $0 $*" 2
# Whoever may open a lock may hold it for ever: root alone may.
umask 077
exec 9>"$LOCK"
umask 022
chmod 600 "$LOCK" # releases before left it open to all
flock -n 9 || fail "another installation is at work: wait for it"

remove() {
  # One by one: systemctl does nothing at all where one of several is not there.
  for unit in "$SERVICE" "$KIOSK"; do
    if systemd_runs; then systemctl disable --now "$unit" 2>/dev/null || true; fi
  done
  rm -rf "$UNITS/$SERVICE" "$UNITS/$SERVICE.d" "$UNITS/$KIOSK" "$UNITS/$KIOSK.d" "$RULES/$RULE"
  for command in "$COMMANDS/edge-vessel" "$COMMANDS/edge-vessel-bench"; do
    if ours "$command"; then rm -f "$command"; fi
  done
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
  [ -d "$HOME_DIR" ] || [ -d "$DATA" ] || [ -d "$KEYS" ] || fail "nothing is installed here" 2
  remove
  exit 0
fi
[ -z "$keep" ] || fail "--keep-data: goes with --uninstall" 2
[ -z "$kiosk" ] || [ -n "$service" ] || fail "--kiosk: is a service; leave --no-service out" 2
# The two exchange the camera: an upgrade of a kiosk does not start the other in its place.
if [ -n "$service" ] && [ -e "$UNITS/$KIOSK" ]; then kiosk=yes; fi

cd "$(dirname "$0")"
[ -f bundle.conf ] && [ -f SHA256SUMS ] || fail "$(pwd): is no whole bundle: unpack it again" 4
sha256sum --check --strict --quiet SHA256SUMS >/dev/null 2>&1 ||
  fail "$(pwd): is damaged: $(sha256sum --check SHA256SUMS 2>/dev/null | grep -v ': OK$' | head -n 1); copy the bundle again" 4
# Nothing but what the sums vouch for: a wheel or a rule beside them would be installed too.
more=$(find . ! -type d | sed 's|^\./||' | awk '
  NR == FNR { named[substr($0, 67)]; next }
  !($0 in named) && !/^SHA256SUMS(\.sig)?$/ { print; exit }' SHA256SUMS -)
[ -z "$more" ] || fail "$(pwd): $more: is not of this bundle: unpack it into an empty folder" 4

# What the board must have, before anything is written.
[ -z "$kiosk" ] || [ "$(setting kiosk)" = yes ] ||
  fail "the bundle has no kiosk: make one with python -m deploy bundle --kiosk" 4
machine=$(setting machine) python=python$(setting python)
[ "$(uname -m)" = "$machine" ] ||
  fail "the bundle is for $machine, this board is $(uname -m): make one with --target" 4
command -v "$python" >/dev/null ||
  fail "no $python here: install it, or make the bundle with --python $(python3 -I -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo VERSION)" 4
"$python" -I -c 'import venv, zlib, ssl' 2>/dev/null ||
  fail "$python lacks its module venv, zlib or ssl: install the system's whole Python" 4
[ "$(date +%Y)" -ge "$OLDEST_YEAR" ] ||
  fail "the clock says $(date +%F): set it (timedatectl set-time), logs and locks go by it"
total_mb=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024))
[ "$total_mb" -ge "$(setting memory_mb)" ] ||
  fail "the artifact needs $(setting memory_mb) MB of memory, this board has $total_mb: bundle a smaller one, such as m2unet-fundus-544"
release=$HOME_DIR/releases/$(setting version)-$(sha256sum SHA256SUMS | cut -c 1-8)
if [ ! -f "$release/complete" ]; then
  [ "$(free_mb "$HOME_DIR")" -ge "$(setting disk_mb)" ] ||
    fail "$HOME_DIR: $(setting disk_mb) MB are needed, $(free_mb "$HOME_DIR") are free: make room"
fi
if [ -n "$service" ] && ! systemd_runs; then
  fail "systemd does not run here: install without the service, --no-service"
fi
for command in "$COMMANDS/edge-vessel" "$COMMANDS/edge-vessel-bench"; do
  [ ! -e "$command" ] || ours "$command" || fail "$command: is not ours: move it away"
done

new='' new_data='' new_user=''
undo() {
  code=$?
  if [ "$code" != 0 ] && [ -n "$new" ]; then
    rm -rf "$release"
    rmdir "$HOME_DIR/releases" "$HOME_DIR" 2>/dev/null || true
    [ -z "$new_data" ] || rm -rf "$DATA"
    [ -z "$new_user" ] || userdel "$USER_NAME" 2>/dev/null || true
  fi
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
  "$python" -I -m venv --without-pip "$release"
  pip=$(echo wheels/pip-*.whl)
  extra=''
  [ "$(setting kiosk)" != yes ] || extra='[kiosk]'
  "$release/bin/python" -I "$pip/pip" --isolated --quiet --disable-pip-version-check \
    --no-cache-dir install --no-compile --no-index --find-links wheels "edge-vessel$extra==$(setting version)" ||
    fail "pip could not install the wheels; the lines above say why"
  # On all cores, and without what the runtime never imports: half of it, which pip would compile too,
  # one by one. What does not compile is for another Python.
  "$release/bin/python" -I -m compileall -q -j 0 -x '/(tests|transformers|lexers)/' "$release/lib" \
    >/dev/null 2>&1 || true
  mkdir -p "$release/share"
  cp -R bench "$release/share/"
  if [ -d artifacts ]; then cp -R artifacts "$release/share/"; fi
  # Whatever umask the bundle was unpacked with.
  chmod -R u=rwX,go=rX "$release/share"
fi

if ! id "$USER_NAME" >/dev/null 2>&1; then
  useradd --system --no-create-home --home-dir "$DATA" --groups video \
    --shell "$(command -v nologin || echo /bin/false)" "$USER_NAME"
  new_user=yes
fi
# Of a GPU's nodes: where one is needed, and the system has given them a group.
gpu=$(setting accelerator)
if [ "$gpu" != none ] && getent group render >/dev/null; then
  usermod --append --groups render "$USER_NAME"
fi
# The self-test runs as the owner of the slots; in releases before they were root's. A link is given
# away, not followed.
[ -e "$DATA" ] || new_data=yes
install -d -m 755 -o "$USER_NAME" -g "$USER_NAME" "$DATA"
as_user mkdir -p "$DATA/slots"
chown -hR "$USER_NAME:$USER_NAME" "$DATA/slots"

# In a slot the artifact is proven on this very board: signature, hashes, target, self-test.
artifact=$(setting artifact)
[ ! -d "artifacts/$artifact" ] || artifact=$(pwd)/artifacts/$artifact
set --
for key in trusted.d/*.pem; do
  if [ -e "$key" ]; then set -- "$@" --trusted-key "$(pwd)/$key"; fi
done
"$release/bin/edge-vessel" slots install "$artifact" $downgrade "$@" >/dev/null || exit $?
for key in trusted.d/*.pem; do
  if [ -e "$key" ]; then
    mkdir -p "$KEYS/trusted.d"
    install -m 644 "$key" "$KEYS/trusted.d/"
  fi
done

# On the disk before anything points to it.
sync -f "$release"
touch "$release/complete"
new=''
before=$(readlink "$HOME_DIR/current" || true)
ln -sfn "$release" "$HOME_DIR/current.new"
mv -T "$HOME_DIR/current.new" "$HOME_DIR/current"
sync -f "$HOME_DIR"
mkdir -p "$COMMANDS"
ln -sf "$HOME_DIR/current/bin/edge-vessel" "$COMMANDS/edge-vessel"
cat >"$COMMANDS/edge-vessel-bench" <<END
#!/bin/sh
PYTHONPATH=$HOME_DIR/current/share exec $HOME_DIR/current/bin/python -m bench "\$@"
END
chmod 755 "$COMMANDS/edge-vessel-bench"
# The release before stays, to go back to; older ones go.
if [ "$before" != "$release" ]; then
  for old in "$HOME_DIR"/releases/*; do
    [ "$old" = "$release" ] || [ "$old" = "$before" ] || rm -rf "$old"
  done
fi
if [ -n "$service" ]; then
  mkdir -p "$RULES"
  unit=$SERVICE
  [ -z "$kiosk" ] || unit=$KIOSK
  install -m 644 "systemd/$unit" "$UNITS/"
  # Of the other unit too, which an installation without it may have left.
  for one in "$UNITS/$SERVICE.d" "$UNITS/$KIOSK.d"; do
    rm -f "$one/gpu.conf"
    rmdir "$one" 2>/dev/null || true
  done
  [ "$gpu" = none ] || install -D -m 644 "systemd/gpu-$gpu.conf" "$UNITS/$unit.d/gpu.conf"
  install -m 644 "udev/$RULE" "$RULES/"
  udevadm control --reload 2>/dev/null || true
  udevadm trigger --subsystem-match=video4linux 2>/dev/null || true
  systemctl daemon-reload
  if [ -z "$kiosk" ]; then
    systemctl enable --quiet "$SERVICE"
    # It is up with its first frame: a board without a camera would wait here for minutes.
    systemctl --no-block restart "$SERVICE"
  elif systemctl is-enabled --quiet "$KIOSK"; then
    systemctl --no-block restart "$KIOSK"
  else
    mkdir -p "$KEYS"
    as_user mkdir -p -m 700 "$DATA/biometrics"
    say "the kiosk starts once it has a key and a token; as root:"
    say "  edge-vessel store keygen $KEYS/kiosk.key"
    say "  edge-vessel kiosk token add desk --role operator --store $DATA/biometrics"
    say "  edge-vessel kiosk token add door --role terminal --store $DATA/biometrics"
    [ ! -e "$UNITS/$SERVICE" ] || say "  systemctl disable --now $SERVICE"
    say "  systemctl enable --now $KIOSK"
  fi
fi
say "installed $(setting version) for $(setting target); runs $(setting artifact)"
# It runs the artifact, as the service does: as its user, and without a terminal to type into.
[ ! -d "$artifact" ] || artifact=$release/share/artifacts/$(setting artifact)
as_user setsid --wait "$release/bin/edge-vessel" doctor --model "$artifact" </dev/null || say "the doctor has something to say: see above"
