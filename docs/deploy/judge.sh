#!/usr/bin/env bash
# Judge hand-ins for a machine on which no sandbox can start, such as most containers. On one that has a sandbox, at the
# root of the same repository in the same place:
#
#     [HOST=127.0.0.1] [PORT=8786] [WORKERS=2] docs/deploy/judge.sh FOLDER
#
# FOLDER gets a key, and settings for who may use it: ADLS_DASK=tls://HOST:PORT DASK_CONFIG=FOLDER/client.yaml

set -euo pipefail

readonly PYTHON=${PYTHON:-$PWD/.venv/bin/python} HOST=${HOST:-127.0.0.1} PORT=${PORT:-8786} WORKERS=${WORKERS:-2}
if [[ ! -d solutions || ! -x $PYTHON || $# != 1 ]]; then
    echo "judge.sh: expected one folder, and the root of a repository in which \`make labs\` has installed .venv" >&2
    exit 2
fi
mkdir -p "$1"
chmod 700 "$1"
FOLDER=$(realpath "$1")
readonly FOLDER

# Whoever reaches a Dask scheduler can run code in its workers, so it talks to those only who can read this key.
if [[ ! -f $FOLDER/key.pem ]]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 400 -subj /CN=judge \
        -addext keyUsage=critical,digitalSignature,keyCertSign -keyout "$FOLDER/key.pem" -out "$FOLDER/cert.pem" 2>&1
fi
pair="{cert: $FOLDER/cert.pem, key: $FOLDER/key.pem}"
cat >"$FOLDER/client.yaml" <<END
distributed:
  comm:
    require-encryption: true
    tls: {ca-file: $FOLDER/cert.pem, client: $pair, scheduler: $pair, worker: $pair}
END

export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} OMP_NUM_THREADS=1 DASK_CONFIG=$FOLDER/client.yaml
export DASK_LOGGING__DISTRIBUTED=warning
trap 'trap "" TERM INT; kill $(jobs -pr) 2>/dev/null; wait' EXIT
trap 'exit 143' TERM INT
"$PYTHON" -m dask scheduler --protocol tls --host "$HOST" --port "$PORT" --no-dashboard \
    --dashboard-address 127.0.0.1:0 &
# Hand-ins have limits of their own, so Dask needs none on memory.
"$PYTHON" -m dask worker "tls://$HOST:$PORT" --nworkers "$WORKERS" --nthreads 1 --memory-limit 0 --no-dashboard \
    --dashboard-address 127.0.0.1:0 &
wait -n || true
echo "judge.sh: scheduler or workers ended (the lines above say why); verdicts that were given are kept" >&2
exit 1
