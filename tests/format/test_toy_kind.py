"""A kind is declared, not programmed: "Add a kind" of CONTRIBUTING.md, carried out on a copy of the package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pacha_git

# What the story says to write, file by file: what stands before it, and what is added there.
STORY = {
    "vocabulary/kinds.py": [
        ('    RUN = "run"\n', '    PROMPT = "prompt"\n'),
        ("KIND_WORDS: Final = {\n", '    "prompt": Kind.PROMPT, "prompts": Kind.PROMPT,\n'),
        ("VERSIONED_KINDS: Final = (Kind.MODEL, Kind.DATASET, Kind.RECIPE", ", Kind.PROMPT"),
    ],
    "format/record.py": [
        (
            "RECORD_TYPES: Final[Mapping[str, type[Record]]] = {\n",
            '    "prompt": PromptRecord,\n',
        ),
        (
            "    content: None = None\n",
            """

class PromptRecord(Record):
    kind: Literal["prompt"] = "prompt"
    content: Content
    language: str = "en"
""",
        ),
    ],
    "format/kinds.py": [
        ("import DatasetRecord, ModelRecord, ", "PromptRecord, "),
        (
            "KINDS: Final[Mapping[Kind, KindDeclaration]] = MappingProxyType(\n    {\n",
            """        Kind.PROMPT: KindDeclaration(
            kind=Kind.PROMPT, record=PromptRecord, documents=(), primary_document=None, has_payload=True,
            relations=frozenset(["derived-from"]), json_document_key="",
        ),
""",
        ),
    ],
    "registry/collections.py": [
        (
            "COLLECTIONS: Final = {each.kind: each for each in (Models, Datasets, Recipes",
            ", Prompts",
        ),
        (
            "        return verbs.recipes.validate(self._session, str(spec_or_path))\n",
            '''

class Prompts(Collection):
    """All prompts of a registry."""

    kind = Kind.PROMPT

    def register(self, name: str, paths: AnyPath, *, version: str, lineage: Sequence[str] = ()) -> Registered:
        """Register a version."""
        wanted = verbs.register.NewVersion(self.kind, name, version, _paths(paths), lineage=lineage)
        return verbs.register.register(self._session, wanted)
''',
        ),
    ],
    "registry/registry.py": [
        ("        self.recipes = Recipes(session)\n", "        self.prompts = COLLECTIONS[Kind.PROMPT](session)\n")
    ],
}

LIFE = """
import sys
from pathlib import Path
from pacha_git import Kind, NotFound, Registry

Path("hello.txt").write_text("Say hello to {name}.")
Path("more.txt").write_text("Say hello to {name}, kindly.")
here = Registry.init("here.git")
first = here.prompts.register("greet", "hello.txt", version="1.0.0")
assert (first.kind, first.stage, first.payload) == (Kind.PROMPT, "development", "here"), first
here.prompts.register("greet", "more.txt", version="1.1.0", lineage=["derived-from=greet@1.0.0"])
here.models.register("m", "hello.txt", version="1.0.0")
here.prompts.stage("greet@1.1.0", "staging")
here.prompts.alias("greet", "polite", version="1.1.0")
Registry.init("hub.git")
here.add_remote("origin", "hub.git")
here.push()

there = Registry.clone("hub.git", "there.git")
assert [each.version for each in there.prompts.list("greet")] == ["1.0.0", "1.1.0"]
assert [(each.name, each.versions) for each in there.prompts.list()] == [("greet", 2)]
assert str(there.resolve("greet@polite")) == "prompt:greet@1.1.0"
assert there.prompts.get("greet@staging").payload == "thin"
there.pull(specs=["prompt:greet@*"])
assert b"".join(there.prompts.cat("greet@1.1.0")) == b"Say hello to {name}, kindly."
assert [edge.relation for edge in there.prompts.get("greet@1.1.0").lineage] == ["derived-from"]
assert len(there.prompts.lineage("greet@1.0.0", direction="down").nodes) == 2
assert there.search("greet", kind="prompt").total == 2
assert there.prompts.diff("greet@1.0.0", "greet@1.1.0").added == ("more.txt",)
assert [each.to for each in there.prompts.history("greet")][:1] == ["staging"]
assert there.prompts.remove("greet@1.0.0", reason="too plain").payload == "removed"
there.push()
here.pull()
assert here.prompts.get("greet@1.0.0").payload in ("removed", "here")
for registry in (here, there):
    assert not registry.fsck().problems, registry.fsck().problems
    assert all(found.ok for found in registry.verify(all=True))
assert here.collection("prompts").kind is Kind.PROMPT
try:
    here.prompts.get("greet@9.0.0")
except NotFound as error:
    assert "prompt greet has no version" in error.message
print("lived")
"""


def test_a_toy_kind_is_registered_pushed_listed_and_removed(tmp_path: Path) -> None:
    told = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text("utf-8").partition("## Add a kind")[2]
    copy = tmp_path / "code" / "pacha_git"
    shutil.copytree(Path(pacha_git.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for place, additions in STORY.items():
        assert place.rpartition("/")[2] in told, f"the story does not speak of {place}"
        text = (copy / place).read_text("utf-8")
        for before, added in additions:
            assert text.count(before) == 1, f"{place}: the story looks for {before!r}"
            text = text.replace(before, before + added)
        (copy / place).write_text(text, "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(copy.parent)}
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        [sys.executable, "-P", "-c", LIFE],
        cwd=tmp_path / "work",
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.stdout, done.returncode) == ("lived\n", 0), done.stderr[-4000:]
    shutil.rmtree(tmp_path / "work")  # the readers of what tests leave behind know no prompts
