#!/bin/sh
# mlflow-skinny 3.17.2, file store: one run whose meta.yaml is empty (a full disk, a copy that was cut off) makes search_runs
# of its whole experiment raise; the sound runs beside it can't be listed until the folder is moved away. The file store has a
# list of runs it skips as malformed, and logs a warning for them, so one would expect the others back.
set -eu
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install --quiet --disable-pip-version-check mlflow-skinny==3.17.2
cd "$room"
MLFLOW_ALLOW_FILE_STORE=true "$room/venv/bin/python" - <<'PY'
import logging, pathlib, warnings
warnings.filterwarnings("ignore"); logging.disable(logging.CRITICAL)
import mlflow
from mlflow.tracking import MlflowClient

client = MlflowClient("file:" + str(pathlib.Path("mlruns").absolute()))
experiment = client.create_experiment("e")
runs = [client.create_run(experiment).info.run_id for _ in range(3)]
assert len(client.search_runs([experiment])) == 3
(pathlib.Path("mlruns") / experiment / runs[0] / "meta.yaml").write_text("")
try:
    seen = f"{len(client.search_runs([experiment]))} of 2 sound runs are listed"
except Exception as error:
    seen = f"search_runs raises {type(error).__name__}"
print(seen)
raise SystemExit(seen != "search_runs raises AttributeError")
PY
