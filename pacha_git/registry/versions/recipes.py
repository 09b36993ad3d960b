"""Registers and validates recipes: a TOML document is the version itself.

It knows what a recipe asks of a registry; what a TOML may say is the schema's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pacha_git.errors import NotFound, PachaError
from pacha_git.format.documents.recipe import RECIPE_LIMIT, Recipe, parse_recipe
from pacha_git.format.record import FORMAT
from pacha_git.git.changes import changing
from pacha_git.registry.versions.credentials import credentials_in, told
from pacha_git.registry.versions.edges import EdgeRequest
from pacha_git.registry.versions.register import create, registered
from pacha_git.session.resolve import resolve
from pacha_git.session.results import RecipeProblem, Registered
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.clashes import check_free
from pacha_git.store.payload.writer import Cost
from pacha_git.vocabulary.ids import VersionId
from pacha_git.vocabulary.kinds import Kind

DOCUMENT = "recipe.toml"


def register_recipe(session: Session, path: Path, *, sign: bool | None = None, strict: bool = False) -> Registered:
    """Register a recipe under the name and version that stand in it.

    Raises:
        NotFound: no such file, or a dataset that it names is not here.
        PachaError: it has problems, each with its line.
        Conflict: the version exists already.
    """
    data = read_file(path)
    recipe = parse_recipe(data)
    recipe.require_valid(str(path))
    assert recipe.name is not None
    assert recipe.version is not None
    version = VersionId(Kind.RECIPE, recipe.name, recipe.version)
    check_free(session.repo, version)
    leaks = told(credentials_in((), {DOCUMENT: data}), strict=strict)
    acting = session.acting()
    values: dict[str, Any] = {
        "format": FORMAT,
        "kind": version.kind.value,
        "name": str(version.name),
        "version": str(version.version),
        "created_at": acting.at,
        "created_by": acting.identity,
        "description": recipe.description,
        "tags": {},
        "content": None,
    }
    with changing(session.repo, f"register {version}") as changes:
        stored = create(session, changes, version, values, {DOCUMENT: data}, _wishes(recipe), sign)
        cost = Cost(stored_bytes=changes.stored_bytes, new_bytes=len(data), shared_bytes=0)
        return registered(session, stored, cost, leaks, dry_run=False)


def _wishes(recipe: Recipe) -> list[EdgeRequest]:
    return [EdgeRequest(wish.relation, str(wish.spec), {}) for wish in recipe.wishes]


def read_file(path: Path) -> bytes:
    """Read a recipe file, no more of it than a recipe may have.

    Raises:
        NotFound, PachaError: it can't be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(RECIPE_LIMIT + 1)
    except FileNotFoundError:
        raise NotFound(f"no such file: {path}") from None
    except OSError as error:
        raise PachaError(f"can't read {path}: {error.strerror}") from None


def validate_recipe_file(path: Path) -> list[RecipeProblem]:
    """Return every problem of a recipe file, as far as it alone tells.

    Raises:
        NotFound, PachaError: it can't be read.
    """
    return _problems(parse_recipe(read_file(path)))


def validate(session: Session, text: str) -> list[RecipeProblem]:
    """Return every problem of a registered recipe (a SPEC), or of a file, whose datasets are then looked for here.

    Raises:
        NotFound: neither such a file nor such a recipe.
    """
    path = Path(text)
    if path.suffix == ".toml" or (path.exists() and not path.is_dir()):
        recipe = parse_recipe(read_file(path))
    else:
        _, commit = resolve(session, text, kind=Kind.RECIPE)
        recipe = parse_recipe(records.read(session.repo, commit).documents[DOCUMENT])
    return sorted(_problems(recipe) + _unknown_data(session, recipe), key=lambda problem: problem.line)


def _problems(recipe: Recipe) -> list[RecipeProblem]:
    return [RecipeProblem(p.line or 0, p.key, p.message, p.column) for p in recipe.problems]


def _unknown_data(session: Session, recipe: Recipe) -> list[RecipeProblem]:
    found: list[RecipeProblem] = []
    for wish in recipe.wishes:
        try:
            resolve(session, str(wish.spec), kind=Kind.DATASET)
        except NotFound as error:
            found.append(RecipeProblem(wish.line or 0, wish.key, error.message))
    return found
