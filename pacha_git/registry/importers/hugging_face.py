"""Registers a snapshot downloaded from the Hugging Face Hub: its files, its README as card, its config as tags.

It knows how the Hub's cache lies on disk (huggingface.co/docs/huggingface_hub/guides/manage-cache) and follows links
into it alone. It reads the config as JSON, and loads and runs nothing.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pacha_git.errors import InvalidInput, NotFound, PachaError
from pacha_git.format.documents.document import DOCUMENT_LIMIT
from pacha_git.format.documents.frontmatter import parse_front_matter
from pacha_git.progress import Progress
from pacha_git.registry.versions.register import NewVersion, register
from pacha_git.session.results import Registered
from pacha_git.session.session import Session
from pacha_git.vocabulary.kinds import Kind

_FOLDER: Final = re.compile(r"(models|datasets|spaces)--(.+)\Z")
_CARD: Final = "README.md"
_CONFIG: Final = "config.json"
_CONFIG_LIMIT: Final = 1 << 20
_TAG_LENGTH: Final = 200
_EXCLUDED: Final = ("/.cache/huggingface/", "/.huggingface/")


@dataclass(frozen=True, slots=True)
class HubSnapshot:
    """A downloaded repository.

    Attributes:
        folder: Its files.
        repository: As the Hub names it; None where the folder does not tell.
        revision: Its commit there.
        blobs: Where its links may lead beside the folder itself.
    """

    folder: Path
    repository: str | None = None
    revision: str | None = None
    blobs: Path | None = None


def import_hf(
    session: Session,
    folder: Path,
    name: str | None,
    *,
    version: str,
    tags: Mapping[str, str],
    sign: bool | None = None,
    dry_run: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
) -> Registered:
    """Register a snapshot; see ``Collection.import_hf``."""
    snapshot = snapshot_of(folder)
    broken = check_links(snapshot)
    if broken and strict:
        raise PachaError(f"{broken[0]} leads nowhere", hint="download it again: the snapshot is not whole")
    config, notices = _config(snapshot)
    card, notice = _card(snapshot)
    found = {**_facts(snapshot, config, card), **tags}
    done = register(
        session,
        NewVersion(
            kind=Kind.MODEL,
            name=name or snapshot.repository or snapshot.folder.resolve().name,
            version=version,
            paths=[snapshot.folder],
            description=_description(snapshot, found),
            tags=found,
            document=snapshot.folder / _CARD if card is not None else None,
            exclude=(*_EXCLUDED, *(_exactly(path) for path in broken)),
            strict=strict,
            follow_symlinks=True,
            sign=sign,
            dry_run=dry_run,
        ),
        progress,
    )
    lost = [f"Warning: left out {path}, which leads nowhere: the snapshot is not whole" for path in broken]
    return replace(done, notices=(*lost, *done.notices, *notices, *notice))


def _exactly(path: str) -> str:
    """Return a gitignore pattern of this path alone."""
    return "/" + re.sub(r"([\\*?\[])", r"\\\1", path)


def snapshot_of(folder: Path) -> HubSnapshot:
    """Find the files that a folder means: a snapshot, a repository of the cache, or a folder of its own.

    Raises:
        NotFound: it is not there, or has no snapshot.
        InvalidInput: it is a dataset or space of the Hub, or has several snapshots.
    """
    if not folder.is_dir():
        raise NotFound(f"no such folder: {folder}", hint="name the snapshot that was downloaded")
    whole = folder.resolve()
    _refuse_root(whole)
    if _kind_of(whole):
        return _in_cache(whole, _chosen(whole))
    if whole.parent.name == "snapshots" and _kind_of(whole.parent.parent):
        return _in_cache(whole.parent.parent, whole)
    return HubSnapshot(whole)


def _refuse_root(folder: Path) -> None:
    """Refuse the cache as a whole, or a part of a repository in it: each file would be stored twice, under odd names.

    Raises:
        InvalidInput: it is that; the hint names a folder that is meant, perhaps.
    """
    for root in (folder, folder / "hub"):
        inside = [each for each in root.glob("*--*") if _FOLDER.match(each.name) and (each / "snapshots").is_dir()]
        models = sorted(str(each) for each in inside if each.name.startswith("models--"))
        if inside:
            more = f" (and {len(models) - 1} more)" if len(models) > 1 else ""
            raise InvalidInput(
                f"{folder} is the Hub's cache, not a model in it",
                hint=f"name one: git pacha model import hf {shlex.quote(models[0])}{more}" if models else "it has none",
            )
    if folder.name in ("blobs", "refs", "snapshots") and _FOLDER.match(folder.parent.name):
        raise InvalidInput(
            f"{folder} is a part of a repository in the Hub's cache",
            hint=f"name the repository: git pacha model import hf {shlex.quote(str(folder.parent))}",
        )


def _kind_of(folder: Path) -> str:
    match = _FOLDER.match(folder.name)
    if match is not None and match[1] != "models" and (folder / "snapshots").is_dir():
        raise InvalidInput(f"{folder.name} is no model of the Hub", hint="git pacha data register takes any folder")
    return match[1] if match is not None and (folder / "snapshots").is_dir() else ""


def _in_cache(repository: Path, snapshot: Path) -> HubSnapshot:
    for place in (snapshot, repository / "blobs"):
        if not place.resolve().is_relative_to(repository):
            raise PachaError(
                f"{place} leads out of the cache, to {place.resolve()}", hint="name the folder it leads to"
            )
    named = repository.name.removeprefix("models--").replace("--", "/", 1)
    return HubSnapshot(snapshot, named, snapshot.name, repository / "blobs")


def _chosen(repository: Path) -> Path:
    """Return the snapshot that ``main`` is, or else the only one."""
    try:
        main = repository / "snapshots" / (repository / "refs" / "main").read_text("ascii").strip()
        if main.is_dir() and main.parent == repository / "snapshots":
            return main
    except (OSError, UnicodeDecodeError):
        pass
    found = sorted(entry for entry in (repository / "snapshots").iterdir() if entry.is_dir())
    if len(found) != 1:
        raise InvalidInput(
            f"{repository} has {len(found)} snapshots", hint="name one: " + ", ".join(str(each) for each in found[:5])
        )
    return found[0]


def check_links(snapshot: HubSnapshot) -> list[str]:
    """Check that every link in a snapshot leads to a file of its own, or of its cache.

    Returns:
        The paths of those that lead nowhere: the download was cut off, or a blob was removed.

    Raises:
        PachaError: one leads elsewhere, or to a folder.
    """
    broken: list[str] = []
    roots = [root.resolve() for root in (snapshot.folder, snapshot.blobs) if root is not None]
    for link in _links(snapshot.folder):
        try:
            target = link.resolve(strict=True)
        except FileNotFoundError:
            broken.append(link.relative_to(snapshot.folder).as_posix())
            continue
        except (OSError, RuntimeError):
            raise PachaError(f"{link} leads in a circle", hint="download it again") from None
        if not any(target.is_relative_to(root) for root in roots):
            raise PachaError(f"{link} leads out of the download, to {target}", hint="copy the file, if it is wanted")
        if not target.is_file():
            raise PachaError(f"{link} leads to a folder", hint="only links to files are followed")
    return broken


def _links(folder: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            here = Path(path, name)
            if here.is_symlink():
                yield here


def _config(snapshot: HubSnapshot) -> tuple[Mapping[str, Any], list[str]]:
    """Tell what config.json says; and what a person should be told of it."""
    path = snapshot.folder / _CONFIG
    try:
        if not path.is_file():
            return {}, []
        if path.stat().st_size > _CONFIG_LIMIT:
            return {}, [f"Warning: {_CONFIG} is over {_CONFIG_LIMIT >> 20} MiB and was not read"]
        config = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        return {}, [f"Warning: {_CONFIG} can't be read: {str(error)[:200]}"]
    if not isinstance(config, dict):
        return {}, [f"Warning: {_CONFIG} is no JSON object"]
    own = "auto_map" in config
    return config, [f"Warning: {_CONFIG} names code of the model's own (auto_map): loading may run it"] if own else []


def _card(snapshot: HubSnapshot) -> tuple[str | None, list[str]]:
    path = snapshot.folder / _CARD
    try:
        if not path.is_file():
            return None, []
        if path.stat().st_size > DOCUMENT_LIMIT:
            return None, [f"Warning: {_CARD} is over {DOCUMENT_LIMIT >> 10} KiB: no card; it is among the files"]
        return path.read_bytes().decode("utf-8"), []
    except (OSError, UnicodeDecodeError) as error:
        return None, [f"Warning: {_CARD} can't be the card: {error}"]


def _facts(snapshot: HubSnapshot, config: Mapping[str, Any], card: str | None) -> dict[str, str]:
    """Tags, as far as somebody says them."""
    front = parse_front_matter(card).values if card is not None else {}
    said = {
        "hf.repo": snapshot.repository,
        "hf.revision": snapshot.revision,
        "architecture": _first(config.get("architectures")),
        "model_type": config.get("model_type"),
        "dtype": config.get("torch_dtype") or config.get("dtype"),
        **{key: _first(front.get(key)) for key in ("license", "library_name", "pipeline_tag", "base_model")},
    }
    return {key: value for key, value in said.items() if isinstance(value, str) and _is_short(value)}


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _is_short(value: str) -> bool:
    return 0 < len(value) <= _TAG_LENGTH and value.isprintable()


def _description(snapshot: HubSnapshot, tags: Mapping[str, str]) -> str:
    what = ", ".join(tags[key] for key in ("architecture", "pipeline_tag") if key in tags)
    of = f"{snapshot.repository} of the Hugging Face Hub" if snapshot.repository else "From the Hugging Face Hub"
    return f"{of}: {what}" if what else of
