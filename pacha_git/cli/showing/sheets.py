"""How versions are shown to people: the list, the sheet of one version, its history, a difference.

It knows the results of the verbs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pacha_git import Kind, NameInfo
from pacha_git.cli.showing.output import clean, one_line
from pacha_git.cli.showing.tables import EMPTY_TEXT, sheet, strong, table
from pacha_git.cli.showing.units import counted, instant, size

if TYPE_CHECKING:
    from pacha_git import (
        Difference,
        EdgeInfo,
        FileInfo,
        HistoryEntry,
        Removal,
        SaidBy,
        Verification,
        VersionDetail,
        VersionInfo,
    )

_ELSEWHERE = {"thin": "not here: its bytes can be pulled", "removed": "removed"}


def spec_of(info: VersionInfo | Verification) -> str:
    """Name a version as people do: ``model fraud-detector 1.0.0``."""
    return f"{_noun(info.kind)} {info.name} {info.version}"


def _noun(kind: str) -> str:
    """Return the word of the command line for a kind: ``data`` for ``dataset``."""
    return Kind.parse(kind).noun


def versions(found: Sequence[VersionInfo]) -> str:
    """Return the table of ``list``."""
    headings = (
        "NAME", "VERSION", "STAGE", "ALIASES", "VERSIONS", "SIZE", "PAYLOAD", "REGISTERED", "DESCRIPTION", "REMOVED",
    )  # fmt: skip
    return table(headings, [_row(info) for info in found], right=("VERSIONS", "SIZE"))


def _row(info: VersionInfo) -> Sequence[object]:
    many = info.versions if isinstance(info, NameInfo) else None
    elsewhere = "" if info.payload == "here" else info.payload
    first_line = info.description.split("\n", 1)[0]
    return (
        info.name, info.version, info.stage, ", ".join(info.aliases), many, size(info.size), elsewhere,
        info.created_at[:10], first_line, _by_whom(info.removed) if info.payload == "removed" else None,
    )  # fmt: skip


def detail(info: VersionDetail) -> str:
    """Return the sheet of ``get``."""
    said = f"Description ({_said_by(info.words.get('description'))})"
    description = said + "\n" + _quoted(clean(info.description)) if info.description else ""
    parts = [_headline(info), description, sheet(_facts(info), indent="  ")]
    if info.files:
        parts.append(strong("Files") + "\n" + _indented(_files(info.files)))
    if info.formats:
        parts.append(strong("What the files say") + "\n" + _indented(_formats(info.formats) + _more(info.formats_more)))
    if info.document:
        word = info.words.get(info.document_key)
        heading = info.document_key.capitalize() + (f" ({_said_by(word)})" if word is not None else "")
        parts.append(strong(heading) + "\n" + _quoted(_document(info.document)))
    return "\n\n".join(part for part in parts if part)


def _headline(info: VersionInfo) -> str:
    return " · ".join([strong(spec_of(info)), info.stage, *(f"@{alias}" for alias in info.aliases)])


def _by_whom(removal: Removal | None) -> str | None:
    """Tell who removed a version, why, and whether that is signed."""
    if removal is None:
        return None
    signed = f"signed by {removal.signed_by}" if removal.signed_by else "unsigned"
    return one_line(f"by {removal.by} ({signed}) on {removal.at[:10]}: {removal.reason or 'no reason given'}")


def _said_by(word: SaidBy | None) -> str:
    """Tell who said a word of a version, and whether that is signed."""
    if word is None:
        return ""
    return f"signed by {word.signed_by}" if word.signed_by else f"unsigned, by {word.by}"


def _facts(info: VersionDetail) -> list[tuple[str, object]]:
    where = _ELSEWHERE.get(info.payload, "")
    amount = f"{size(info.size)} in {counted(info.file_count, 'file')}"
    return [
        ("Address", info.address),
        ("Size", f"{amount}, {where}" if where else amount),
        ("Removed", _by_whom(info.removed)),
        ("Claimed removed", "\n".join(f"{_by_whom(claim)}; it does not count here" for claim in info.claims)),
        ("Purpose", "\n".join(f"│ {line}" for line in clean(info.purpose or "").split("\n")) if info.purpose else ""),
        ("Metrics", _listed(info.metrics)),
        ("Tags", "\n".join(_tag(info, key) for key in info.tags)),
        ("Stage", _word(info, "stage", info.stage)),
        ("Aliases", "\n".join(_word(info, f"aliases.{alias}", f"@{alias}") for alias in info.aliases)),
        ("Lineage", "\n".join(_edge(edge) for edge in info.lineage)),
        ("Registered", f"{instant(info.created_at)} by {info.created_by}"),
        ("Signed by", info.signed_by or "nobody"),
        ("Commit", info.commit),
    ]


def _tag(info: VersionDetail, key: str) -> str:
    return _word(info, f"tags.{key}", f"{key}={info.tags[key]}")


def _word(info: VersionDetail, word: str, shown: str) -> str:
    """Return a word of a version with who said it; nothing where nobody ever did."""
    said = info.words.get(word)
    return one_line(f"{shown} ({_said_by(said)})") if said is not None else ""


def _edge(edge: EdgeInfo) -> str:
    version = f"@{edge.version}" if edge.version else ""
    params = "".join(f", {key}={value}" for key, value in edge.params.items())
    return one_line(f"{edge.relation} {edge.kind.noun}:{edge.name}{version}{params}")


def _listed(values: Mapping[str, Any] | None) -> str:
    return "\n".join(one_line(f"{key}={value}") for key, value in (values or {}).items())


def _files(files: Sequence[FileInfo]) -> str:
    rows = [(file.path, size(file.size), "executable" if file.mode == "755" else "") for file in files]
    return table(("PATH", "SIZE", "MODE"), rows, right=("SIZE",))


def _formats(formats: Sequence[Mapping[str, Any]]) -> str:
    rows = [(each["path"], each["format"], _parameters(each), _tensors(each), _said(each)) for each in formats]
    return table(("PATH", "FORMAT", "PARAMETERS", "TENSORS", "NOTE"), rows, right=("PARAMETERS", "TENSORS"))


def _more(said: Mapping[str, Any] | None) -> str:
    if not said:
        return ""
    formats = ", ".join(f"{count} {name}" for name, count in said["formats"].items())
    parameters = f"{said['parameters']:,} parameters" if isinstance(said.get("parameters"), int) else ""
    code = f"{said['runs_code']} with code that runs when they are loaded" if said.get("runs_code") else ""
    told = "; ".join(part for part in (formats, parameters, code) if part)
    return f"\n{said['files']} more files" + (f": {told}" if told else "")


def _parameters(said: Mapping[str, Any]) -> str | None:
    count = said.get("parameters")
    dtypes = ", ".join(map(str, said.get("dtypes") or ()))
    return f"{count:,} {dtypes}" if isinstance(count, int) else count


def _tensors(said: Mapping[str, Any]) -> str | None:
    shapes = said.get("shapes") or ()
    alone = shapes[0] if said.get("tensors") == 1 and shapes and isinstance(shapes[0], Mapping) else {}
    shape = alone.get("shape")
    return "x".join(map(str, shape)) if shape and isinstance(shape, list | tuple) else str(said.get("tensors", ""))


def _said(said: Mapping[str, Any]) -> str:
    notes = []
    if said.get("runs_code"):
        calls = ", ".join(map(str, said.get("imports") or ()))
        notes.append("code that runs when it is loaded" + (f", with {calls}" if calls else ""))
    rows = (said.get("metadata") or {}).get("rows")
    notes += [f"{rows} rows"] if isinstance(rows, int) else []
    return "; ".join([*notes, *map(str, said.get("warnings") or ())])


def _document(value: Any) -> str:
    return values(value) if isinstance(value, Mapping) else clean(str(value)).strip("\n")


def values(table_of_values: Mapping[str, Any]) -> str:
    """Lay out nested values, one dotted key a line."""
    return sheet([(key, _value(item)) for key, item in _flat(table_of_values)])


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found


def _differing(key: str, value: Any) -> str:
    return size(value) if key == "size" else _value(value) or "-"


def _value(value: Any) -> str:
    if value is None:
        return ""
    if value == "":
        return EMPTY_TEXT
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_value(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(item) for item in value)
    return str(value)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.split("\n"))


def _quoted(text: str) -> str:
    """Somebody's own text, each line behind a bar, so that none of it can pass for a line of ours."""
    return "\n".join(f"  │ {line}".rstrip() for line in text.split("\n"))


def history(entries: Sequence[HistoryEntry]) -> str:
    """Return the table of ``history``."""
    headings = ("WHEN", "VERSION", "WHAT", "BY", "SIGNED BY", "NOTE", "REASON")
    return table(headings, [_move(entry) for entry in entries])


def _move(entry: HistoryEntry) -> Sequence[object]:
    crossing = "crossing" if entry.crossing else ""
    said = f"calls it {entry.said_version or 'nothing'}" if entry.said_version is not None else ""
    marks = [entry.status if entry.status != "effective" else "", crossing, said]
    signed = entry.signed_by or "unsigned"
    return (
        instant(entry.at), entry.version, _what(entry), entry.by, signed, ", ".join(filter(None, marks)), entry.reason,
    )  # fmt: skip


def _what(entry: HistoryEntry) -> str:
    if entry.type == "alias":
        return f"@{entry.alias} {entry.op}"
    if entry.type == "stage":
        return f"{entry.from_} → {entry.to}"
    return {"tombstone": "removed", "revoke": "removal taken back"}.get(entry.type, entry.type)


def difference(found: Difference) -> str:
    """Tell what ``diff`` shows."""
    a, b = spec_of(found.a), spec_of(found.b)
    parts = [strong(f"{a} → {b}")]
    for title, values in (("Metadata", found.metadata), ("Metrics", found.metrics), ("Values", found.values)):
        if values:
            rows = [(key, *(_differing(key, side) for side in sides)) for key, sides in values.items()]
            parts.append(strong(title) + "\n" + _indented(table(("", found.a.version, found.b.version), rows)))
    paths = [("+", found.added), ("-", found.removed), ("~", found.changed)]
    lines = [one_line(f"{mark} {path}") for mark, each in paths for path in each]
    if found.unchanged:
        lines.append(f"  {counted(found.unchanged, 'file')} unchanged")
    if lines:
        parts.append(strong("Files") + "\n" + _indented("\n".join(lines)))
    if found.shared_bytes is None or found.differing_bytes is None:
        parts.append("How many bytes they share can't be told: a payload is not here")
    else:
        parts.append(f"{size(found.shared_bytes)} shared, {size(found.differing_bytes)} different")
    return "\n\n".join(parts)
