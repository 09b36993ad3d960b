"""Credentials in small text files are said when a version is registered, and refused if that is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.errors import PachaError
from tests.cli.conftest import run_inside
from tests.making import folder, noise, put, recipe

TOKEN = "hf_" + "a" * 34
SECRET = "SEKRIT99"


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


FILES = {
    ".env": f"API_TOKEN={SECRET}\n",
    "config.yaml": f"a: 1\npassword: '{SECRET}'\n",
    "a/conf.json": f'{{"token": "{SECRET}"}}',
    "train.py": f"x = 1\nlogin('{TOKEN}')\n",
    "notes.txt": f"see postgres://u:{SECRET}@h/d\n",
    "README": TOKEN,
    "id_rsa": "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n",
    ".env.local": f"PASSWORD={SECRET}",
}


@pytest.mark.parametrize("name", FILES)
def test_one_is_said_with_its_line_and_not_its_value(registry: Registry, tmp_path: Path, name: str) -> None:
    source = folder(tmp_path / "in", {name: FILES[name].encode(), "w.bin": noise(5000)})
    done = registry.models.register("m", source, version="1.0.0")
    (notice,) = done.notices
    assert f"{name}, line " in notice
    assert SECRET not in notice
    assert TOKEN not in notice
    with pytest.raises(PachaError, match="looks like a credential") as caught:
        registry.models.register("m", source, version="1.1.0", strict=True)
    assert SECRET not in caught.value.message
    assert len(registry.models.list("m")) == 1


def test_what_is_none(registry: Registry, tmp_path: Path) -> None:
    honest = {
        "config.json": b'{"pad_token": "[PAD]", "max_tokens": 5, "password": "<set me>", "tokenizer": "BertToken"}',
        "train.py": b"token = tokenizer.next()\napi_key = os.environ['API_KEY']\nf(token=token)\n",
        "w.bin": TOKEN.encode() + b"\0",
    }
    done = registry.models.register("m", folder(tmp_path / "in", honest), version="1.0.0", strict=True)
    assert [notice for notice in done.notices if "credential" in notice] == []


def test_documents_and_recipes_too(registry: Registry, tmp_path: Path) -> None:
    card = put(tmp_path / "card.md", f"# M\n\nUse {TOKEN}\n".encode())
    done = registry.models.register("m", put(tmp_path / "w.bin"), version="1.0.0", card=card)
    assert any("line 3: a Hugging Face token" in notice for notice in done.notices)
    text = recipe(tmp_path / "r.toml").read_text() + f'api_key = "{SECRET}"\n'
    done = registry.recipes.register(put(tmp_path / "r.toml", text.encode()))
    assert any("api_key" in notice for notice in done.notices)


def test_strict_is_a_flag(registry: Registry, tmp_path: Path) -> None:
    source = put(tmp_path / ".env", f"TOKEN={SECRET}".encode())
    words = ("--registry", registry.path, "model", "register", "m", source, "-v", "1.0.0")
    assert run_inside(*words, "--strict").code == 1
    ended = run_inside(*words)
    assert ended.code == 0
    assert "Warning: this looks like a credential" in ended.err


def test_many_files_are_looked_at_in_part(registry: Registry, tmp_path: Path) -> None:
    files = {f"{at:05}.txt": b"row\n" * 500 for at in range(600)} | {"z/.env": f"TOKEN={SECRET}".encode()}
    done = registry.datasets.register("d", folder(tmp_path / "in", files), version="1.0.0")
    assert len(done.notices) == 1
