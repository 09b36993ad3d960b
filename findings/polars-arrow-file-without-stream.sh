#!/bin/sh
# polars 2.1.0 (with pyarrow 26.0.1) writes Arrow files whose bytes after the leading mark are no Arrow stream: the schema stands in the footer alone.
# PyArrow repeats the schema at the front, and many readers of heads (and `pyarrow.ipc.open_stream` past the mark) count on it:
# of a Polars file only the footer may be trusted.
set -eu
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install --quiet --disable-pip-version-check polars==2.1.0 pyarrow==26.0.1
"$room/venv/bin/python" - "$room" <<'PY'
import io, sys
import polars, pyarrow, pyarrow.ipc

frame = polars.DataFrame({"a": [1, 2, 3]})
theirs = io.BytesIO(); frame.write_ipc(theirs)
ours = io.BytesIO()
with pyarrow.ipc.new_file(ours, pyarrow.schema([("a", pyarrow.int64())])) as writer:
    writer.write(pyarrow.record_batch({"a": [1, 2, 3]}))

def stream_in_front(data: bytes) -> str:
    try:
        return str(pyarrow.ipc.open_stream(data[8:]).schema.names)
    except (pyarrow.ArrowInvalid, OSError):
        return "no stream"

footer = pyarrow.ipc.open_file(theirs.getvalue()).schema.names
seen = (stream_in_front(ours.getvalue()), stream_in_front(theirs.getvalue()), footer)
print("stream in front: of pyarrow's file", seen[0], "| of polars' file", seen[1], "| footer of polars' file", seen[2])
sys.exit(seen != ("['a']", "no stream", ["a"]))
PY
