#!/usr/bin/env bash
# Grade a class on a SLURM cluster. At the root of the repository, which all nodes must see:
#
#     sbatch docs/deploy/slurm.sh lab06_triton_kernels --from hand-ins.zip
#
# The arguments are those of `python -m autograder grade`. Adapt these two lines to your cluster and class:
#SBATCH --partition=PARTITION
#SBATCH --ntasks=16 --mem-per-cpu=6G --time=02:00:00
#
#SBATCH --cpus-per-task=1 --job-name=grade --output=grade-%j.log --signal=B:TERM@60

set -euo pipefail

cd "${SLURM_SUBMIT_DIR:?submit this file with sbatch}"
readonly JOIN_SECONDS=300 END_SECONDS=20
readonly PYTHON=${PYTHON:-$PWD/.venv/bin/python}
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} OMP_NUM_THREADS=1
export DASK_LOGGING__DISTRIBUTED=warning TQDM_MININTERVAL=10 # a log that can be read

if [[ ! -d solutions || ! -x $PYTHON ]]; then
    echo "slurm.sh: $PWD is not the root of the repository, or has no $PYTHON yet: \`make labs\` installs it" >&2
    exit 2
fi

# Whoever reaches a Dask scheduler can run code as you, and others use this cluster: so scheduler, workers and grading
# talk over TLS with a certificate that only they can read. It lives as long as the job.
make_certificate() {
    local role
    export DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=true
    export DASK_DISTRIBUTED__COMM__TLS__CA_FILE=$state/cert.pem
    for role in SCHEDULER WORKER CLIENT; do
        export "DASK_DISTRIBUTED__COMM__TLS__${role}__CERT=$state/cert.pem"
        export "DASK_DISTRIBUTED__COMM__TLS__${role}__KEY=$state/key.pem"
    done
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=grading \
        -addext keyUsage=critical,digitalSignature,keyCertSign -keyout "$state/key.pem" -out "$state/cert.pem" 2>&1
}

# Wait until process $1 ends, and return its status; give up when the scheduler or the workers end before it.
finish() {
    local ended='' status=0
    wait -n -p ended "$1" "$scheduler" "$workers" || status=$?
    if [[ $ended != "$1" ]]; then
        echo "slurm.sh: scheduler or workers ended too early (the lines above say why); what is judged is kept" >&2
        exit 1
    fi
    return "$status"
}

# End what was started last first: workers that lose their scheduler take their time to close.
end_everything() {
    local running last
    trap '' TERM INT
    mapfile -t running < <(jobs -pr)
    for ((last = ${#running[@]} - 1; last >= 0; last--)); do
        end "${running[last]}"
    done
    rm -rf "$state"
}

end() {
    local tenths
    kill "$1" 2>/dev/null || return 0
    for ((tenths = 0; tenths < 10 * END_SECONDS; tenths++)); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null || true
}

mkdir -p course
state=$(mktemp -d "$PWD/course/.slurm-${SLURM_JOB_ID:?}-XXXXXX")
readonly state
trap end_everything EXIT
trap 'exit 143' TERM INT
make_certificate

"$PYTHON" -m dask scheduler --protocol tls --port 0 --scheduler-file "$state/scheduler.json" \
    --no-dashboard --dashboard-address 127.0.0.1:0 &
scheduler=$!

# A worker that dies is replaced by its nanny; hand-ins have limits of their own, so Dask needs none on memory.
srun --export=ALL --ntasks="${SLURM_NTASKS:?}" --cpus-per-task=1 --kill-on-bad-exit=0 --wait=0 \
    "$PYTHON" -m dask worker --nthreads 1 --memory-limit 0 --scheduler-file "$state/scheduler.json" \
    --death-timeout "$JOIN_SECONDS" --no-dashboard --dashboard-address 127.0.0.1:0 &
workers=$!

"$PYTHON" - "$state/scheduler.json" "$SLURM_NTASKS" "$JOIN_SECONDS" <<'EOF' &
import sys
from distributed import Client

file, wanted, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with Client(scheduler_file=file, timeout=seconds) as client:
    try:
        client.wait_for_workers(wanted, timeout=seconds)
    except TimeoutError:
        there = len(client.scheduler_info(n_workers=-1)["workers"])
        print(f"slurm.sh: {there} of {wanted} workers have joined after {seconds} s; grading with those", flush=True)
EOF
finish $!

address=$("$PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))["address"])' "$state/scheduler.json")
"$PYTHON" -m autograder grade "$@" --dask "$address" &
finish $!
