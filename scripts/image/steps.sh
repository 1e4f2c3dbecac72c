#!/bin/bash
# The steps of the Dockerfile where no engine is at hand: the same installation, the server as the image's user,
# the image's health check, and a stop by SIGTERM. Run it from the repository; it writes into a temporary folder only.
set -euo pipefail

folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT

mkdir "$folder/source"
cp -r pyproject.toml constraints.txt README.md LICENSE NOTICE src "$folder/source"
sh scripts/image/install.sh "$folder/source" "$folder/app"
rm -rf "$folder/source" # what runs is what was installed
chmod 755 "$folder"

as_user=()
if [ "$(id -u)" = 0 ]; then
    as_user=(setpriv --reuid=10001 --regid=10001 --clear-groups)
fi
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
key=$(python3 -c 'import secrets; print(secrets.token_hex(16))')
cd /
env -i PATH="$folder/app/bin:/usr/bin:/bin" HOME=/tmp PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 \
    COUNTERPOINT_HOST=0.0.0.0 COUNTERPOINT_PORT="$port" COUNTERPOINT_API_KEYS="[\"$key\"]" \
    "${as_user[@]}" counterpoint serve 2>"$folder/log" &
server=$!
healthy() {
    PATH="$folder/app/bin:$PATH" COUNTERPOINT_PORT="$port" python -c \
        "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"COUNTERPOINT_PORT\"]}/livez', timeout=4)" \
        2>/dev/null
}
for _ in $(seq 120); do
    if healthy; then break; fi
    kill -0 "$server" || { cat "$folder/log"; exit 1; }
    sleep 1
done
healthy
[ "$(stat -c %u "/proc/$server")" != 0 ]
kill -TERM "$server"
wait "$server"
server=
echo "installed, healthy as a user without rights, stopped with exit code 0"
