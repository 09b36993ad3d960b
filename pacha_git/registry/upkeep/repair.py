"""Mends a damaged registry: its files, its packs, its refs, from what is here and from what its remotes have.

The order is that of what rests on what: without ``config`` there is no remote, without objects no ref can be judged.
Nothing is thrown away: what was damaged lies in ``pacha/damaged`` until all of it is back.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from pacha_git.errors import Corrupt, NotFound, PachaError, RemoteError
from pacha_git.exchange import sync
from pacha_git.exchange.incoming import Arrival
from pacha_git.exchange.pull_payloads import Pulled, pull_payloads
from pacha_git.exchange.selection import TransferRequest
from pacha_git.format.kinds import ITEM_ROOTS
from pacha_git.git.changes import GC_LOCK
from pacha_git.git.holes import Holes
from pacha_git.git.ownership import check_owner
from pacha_git.git.packs.check import mend_packs
from pacha_git.git.refs.refs import RefUpdate
from pacha_git.git.repo import GitRepository
from pacha_git.git.shape import ASIDE, is_ours, keep_config, lost_remotes, mend_shape
from pacha_git.git.wire import transport
from pacha_git.gitobjects.oid import Oid
from pacha_git.progress import Progress
from pacha_git.registry.upkeep.init import begin
from pacha_git.registry.upkeep.mend_refs import RefMender
from pacha_git.registry.upkeep.refill import bring_refs, refill
from pacha_git.session.caller import Caller
from pacha_git.session.items import read_item
from pacha_git.session.results import Finding
from pacha_git.session.session import Session
from pacha_git.store.payload.check import check_payload
from pacha_git.system import locks
from pacha_git.vocabulary.ids import PAYLOAD_ROOT, REF_ROOT, REGISTRY_REF

_FIRST: Final = 5


class Repair:
    """One repair of one registry.

    Args:
        path: Its folder.
        thorough: Hash every pack, judge every ref, and ask the remotes; else what is certain is mended, at once.
        progress: Is told how far it is.

    Attributes:
        findings: What was found and done.
    """

    def __init__(self, path: Path, *, thorough: bool, progress: Progress | None = None) -> None:
        self._path = path
        self._thorough = thorough
        self._progress = progress
        self._aside = path / ASIDE
        self._refs: RefMender | None = None
        self._unreached: list[str] = []
        self.findings: list[Finding] = []

    def mend_here(self) -> None:
        """Mend what can be without asking anybody.

        Raises:
            NotFound: the folder is no registry, nor what is left of one.
            PachaError: the disk is full, or something can't be written.
        """
        if not is_ours(self._path):
            raise NotFound(f"{self._path} is no registry", hint=f"make one with: git pacha init {self._path}")
        check_owner(self._path)
        self._say("files", mend_shape(self._path), "what makes the folder a repository is there")
        self._mend_packs()
        repo = GitRepository(self._path)
        self._refs = RefMender(repo, thorough=self._thorough)
        self._refs.mend()
        self._say("refs", self._refs.done, "every ref can be read")
        if not self._thorough:
            self._say_lost(self._refs.wanted)

    def _mend_packs(self) -> None:
        objects = self._path / "objects"
        # Writers rely on packs while they hold this lock shared; a quick look does not wait for them.
        with locks.exclusive(self._path / GC_LOCK, wait=self._thorough) as mine:
            if mine is None:
                self.findings.append(Finding("packs", "ok", "not looked at: somebody writes here"))
                return
            mended = mend_packs(objects, self._aside, thorough=self._thorough)
        self._say("packs", [f"{each.path.name}: {each.done}" for each in mended], "every pack has its index")

    def _say(self, check: str, done: Iterable[str], otherwise: str) -> None:
        lines = list(done)
        self.findings += [Finding(check, "fixed", line) for line in lines]
        if not lines:
            self.findings.append(Finding(check, "ok", otherwise))

    def _say_lost(self, wanted: dict[str, str]) -> None:
        for ref, why in wanted.items():
            self.findings.append(Finding("refs", "problem", f"{ref}: {why}", "git pacha doctor --repair"))

    # With the remotes ------------------------------------------------------------------------------------------------

    def bring_back(self, caller: Caller) -> None:
        """Bring back from the remotes what is not here any more, then say what nobody has.

        Raises:
            PachaError: the disk is full, or something can't be written.
        """
        assert self._refs is not None
        repo = GitRepository(self._path)
        before = set(self._tips(repo))
        lacking = self._lacking(repo)
        for source in self._sources(repo):
            try:
                self._ask(repo, source, lacking, caller)
            except RemoteError as error:
                self._unreached.append(error.message)
            lacking = self._lacking(repo)
            if not lacking and not self._refs.wanted and not self._refs.thin:
                break
        self._conclude(repo, lacking, before)

    def _sources(self, repo: GitRepository) -> list[str]:
        names = sorted(transport.remotes(repo), key=lambda name: (name != "origin", name))
        lost = lost_remotes(self._path)
        for name, url in lost.items():
            told = f"{name} was at {url} once, and is not in the configuration now"
            self.findings.append(Finding("remotes", "note", told, f"git pacha remote add {name} {url}"))
        return [*names, *lost.values()]

    def _tips(self, repo: GitRepository) -> dict[str, Oid]:
        return repo.refs_below("refs/")

    def _lacking(self, repo: GitRepository) -> dict[str, Oid]:
        """Return the refs below which something is missing."""
        holes = Holes(repo)
        return {ref: oid for ref, oid in self._tips(repo).items() if not holes.is_whole(oid)}

    def _ask(self, repo: GitRepository, source: str, lacking: dict[str, Oid], caller: Caller) -> None:
        assert self._refs is not None
        came = refill(repo, source, self._tips(repo).values(), self._told) if lacking else 0
        if came:
            self.findings.append(Finding("objects", "fixed", f"{came} objects came back from {source}"))
        wanted = {*self._refs.wanted, *(ref for ref in self._lacking(repo) if not ref.startswith(PAYLOAD_ROOT))}
        for ref in bring_refs(repo, source, wanted):
            self._refs.wanted.pop(ref, None)
            self.findings.append(Finding("refs", "fixed", f"{ref}: it stands again as at {source}"))
        if self._refs.wide or self._refs.thin or came:
            self._pull(source, caller)

    def _told(self, missing: int) -> None:
        if self._progress is not None:
            self._progress("repair", 0, missing, "objects")

    def _pull(self, source: str, caller: Caller) -> None:
        """Take over the records that were lost without a trace, and the payloads whose refs were."""
        assert self._refs is not None
        session = Session(self._path, caller)
        if self._refs.wide and source in transport.remotes(session.repo):
            found = sync.pull(session, source, TransferRequest(payload="none"))
            for each in found.refs:
                if each.result in ("new", "updated"):
                    self.findings.append(Finding("refs", "fixed", f"{each.ref}: it came from {source}"))
        if not self._refs.thin:
            return
        there = transport.list_refs(session.repo, source)
        refs = [ref.replace(PAYLOAD_ROOT, REF_ROOT, 1) for ref in sorted(self._refs.thin)]
        items = [read_item(session.repo, ref, oid) for ref in refs if (oid := session.repo.ref(ref)) is not None]
        items = [item for item in items if there.get(item.payload_ref) == item.payload_commit]
        arrival = Arrival()
        pull_payloads(session, source, items, arrival, Pulled(), self._progress)
        for item in items:
            if session.repo.ref(item.payload_ref) == item.payload_commit:
                self._refs.thin.discard(item.payload_ref)
                self.findings.append(Finding("refs", "fixed", f"{item.payload_ref}: it came back from {source}"))

    # At last ---------------------------------------------------------------------------------------------------------

    def _conclude(self, repo: GitRepository, lacking: dict[str, Oid], before: set[str]) -> None:
        assert self._refs is not None
        hint = "register the same bytes again, or add a remote that has them and repair again"
        if self._unreached:
            hint = f"{self._unreached[0]}; repair again when it can be reached"
        for ref in lacking:
            gone = Holes(repo)
            gone.is_whole(lacking[ref])
            some = ", ".join(oid[:12] for oid in list(gone.missing)[:_FIRST])
            self.findings.append(
                Finding("objects", "problem", f"{ref}: {len(gone.missing)} objects are gone: {some}", hint)
            )
        if REGISTRY_REF in self._refs.wanted and REGISTRY_REF not in lacking and not self._unreached:
            why = self._refs.wanted.pop(REGISTRY_REF)
            if (stands := repo.ref(REGISTRY_REF)) is not None:
                repo.refs.update([RefUpdate(REGISTRY_REF, None, stands)])
            begin(repo)
            told = f"{REGISTRY_REF}: {why}, and nobody has it: new settings were made, which trust no key"
            self.findings.append(Finding("settings", "fixed", told, "git pacha key trust; git pacha settings show"))
        for ref, why in self._refs.wanted.items():
            if ref not in lacking:
                self.findings.append(Finding("refs", "problem", f"{ref}: {why}, and nobody has it", hint))
        for ref in sorted(self._refs.thin):
            self.findings.append(Finding("refs", "problem", f"{ref}: its bytes are gone", hint))
        self._check_bytes(repo, before)
        if not any(finding.state == "problem" for finding in self.findings):
            shutil.rmtree(self._aside, ignore_errors=True)
            keep_config(self._path)
        elif self._aside.is_dir():
            self.findings.append(Finding("damaged", "ok", f"what was damaged is kept in {self._aside}"))

    def _check_bytes(self, repo: GitRepository, before: set[str]) -> None:
        """If anything was mended: hash the payloads, to the last byte."""
        if not any(finding.state == "fixed" for finding in self.findings):
            return
        for ref, oid in repo.refs_below(REF_ROOT).items():
            if not ref.startswith(ITEM_ROOTS):
                continue
            with suppress(NotFound, Corrupt):
                item = read_item(repo, ref, oid)
                commit = repo.ref(item.payload_ref)
                if item.content is None or commit is None:
                    continue
                try:
                    check_payload(repo, commit, item.content)
                except PachaError as error:
                    if not any(each.message.startswith(f"{item.payload_ref}:") for each in self.findings):
                        self.findings.append(Finding("objects", "problem", f"{item.payload_ref}: {error.message}"))
