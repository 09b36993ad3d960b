"""Gives damaged refs their values back, from what is here: other copies of the ref, and commits that spell it.

A record ref never moves and a record spells its own ref, so the right commit is known by its bytes. Events are united,
a run stands at its furthest commit, a payload's commit follows from its record. What is not found here, a remote may
have.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from typing import Final

from pacha_git.errors import Corrupt, InvalidInput, NotFound, PachaError
from pacha_git.exchange.remotes import TRACKING_ROOT, as_there
from pacha_git.format.kinds import ITEM_ROOTS, grows
from pacha_git.git.changes import changing
from pacha_git.git.refs.refs import RefUpdate
from pacha_git.git.refs.survey import DamagedRef, Survey, is_legal_name, remove_loose, rewrite_packed, survey
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.commits import split_commit
from pacha_git.gitobjects.oid import OID_DIGITS, Oid
from pacha_git.session.items import parse_item_ref
from pacha_git.store.notes import merge_tips
from pacha_git.store.readme import MAIN, write_readme
from pacha_git.store.runs import commits as runs
from pacha_git.store.settings import settings_at, write_root
from pacha_git.store.spelling import by_spelling, every_commit, payload_refs, spelled_ref
from pacha_git.vocabulary.ids import (
    NOTES_ROOT,
    PAYLOAD_ROOT,
    REF_ROOT,
    REGISTRY_REF,
    ROOT_COMMIT,
    ROOT_REF,
    TMP_ROOT,
    parse_notes_ref,
)

# Of 40 digits so many at their places: that another commit has them by chance is out of the question.
_ALIKE: Final = 16
# What these lead to is for others to judge, or follows from records.
_OTHERS: Final = ("refs/heads/", "refs/tags/", "refs/stash", PAYLOAD_ROOT, TMP_ROOT)


class RefMender:
    """One look at all refs of a registry, and what was done about them.

    Args:
        repo: The registry's repository.
        thorough: Read what each ref leads to, and take away what can't be right; else only what is certain is done.

    Attributes:
        done: What was mended, one line each.
        wanted: Refs that ought to stand somewhere and whose commits are not here.
        thin: Payload refs whose bytes were here and are no more.
        wide: Whether refs may have been lost of which nothing is left.
    """

    def __init__(self, repo: GitRepository, *, thorough: bool) -> None:
        self._repo = repo
        self._thorough = thorough
        self._survey = Survey()
        self.done: list[str] = []
        self.wanted: dict[str, str] = {}
        self.thin: set[str] = set()
        self.wide = False

    def mend(self) -> None:
        """Mend what can be.

        Raises:
            PachaError: a ref is locked, or the disk is full.
        """
        found = self._survey = survey(self._repo.path)
        self.wide = bool(found.packed_problem) or any(not each.ref for each in found.damaged)
        self.wide |= ROOT_REF not in found.refs or REGISTRY_REF not in found.refs
        self._mend_files()
        self._mend_fixed()
        if self._thorough:
            self._mend_wrong()
            if self.wide:
                self._bring_back()
            self._mend_payloads()

    @cached_property
    def _here(self) -> dict[str, list[Oid]]:
        """Commits by the ref that they spell."""
        return by_spelling(self._repo)

    # Files that hold no ref ------------------------------------------------------------------------------------------

    def _mend_files(self) -> None:
        found = self._survey
        values = {each.ref: self._value(each) for each in found.damaged if each.ref}
        certain = all(each.ref and values[each.ref] for each in found.damaged if each.packed)
        if (found.packed_problem or any(each.packed for each in found.damaged)) and (self._thorough or certain):
            if not rewrite_packed(self._repo.path, found.packed):
                raise PachaError("packed-refs can't be replaced", hint="may you write there?")
            self.done.append(f"packed-refs: {found.packed_problem or 'lines that are no refs'}; it was written anew")
        for each in found.damaged:
            value = values.get(each.ref)
            if value is None and not self._thorough:
                self.wanted[each.ref or "packed-refs"] = each.problem
                continue
            if not each.packed:
                remove_loose(self._repo.path, each.ref)
                self._survey.refs.pop(each.ref, None)
                if each.ref in found.packed:
                    self._survey.refs[each.ref] = found.packed[each.ref]
            if value is not None:
                self._put(each.ref, value, each.problem)
            elif each.ref:
                self._give_up(each.ref, each.problem)

    def _give_up(self, ref: str, problem: str) -> None:
        """Leave a ref to the remotes."""
        if ref.startswith((TRACKING_ROOT, TMP_ROOT)):
            self.done.append(f"{ref}: {problem}; it was removed, and comes again with the next fetch")
        elif ref == MAIN:
            self.done.append(f"{ref}: {problem}; it holds our README again")
        elif ref.startswith(PAYLOAD_ROOT):
            self.thin.add(ref)
            self.done.append(f"{ref}: {problem}; it was removed")
        elif ref not in self._survey.refs:
            self.wanted[ref] = problem

    def _value(self, damaged: DamagedRef) -> Oid | None:
        """Tell where a damaged ref stood, or what stands there by right."""
        ref = damaged.ref
        if ref == ROOT_REF:
            return Oid(ROOT_COMMIT)
        alike = self._alike(ref, damaged.text)
        if alike is not None or ref.startswith((TRACKING_ROOT, TMP_ROOT)):
            return alike
        return self._by_right(ref) if self._thorough else None

    def _alike(self, ref: str, text: bytes) -> Oid | None:
        """Return the one commit here that spells the ref and whose id is all but what stands there."""
        digits = text[:OID_DIGITS].lower().decode("latin-1")
        likeness = {oid: sum(map(str.__eq__, oid, digits)) for oid in self._candidates(ref)}
        best = sorted(likeness, key=lambda oid: -likeness[oid])[:2]
        if not best or likeness[best[0]] < _ALIKE or (len(best) > 1 and likeness[best[1]] == likeness[best[0]]):
            return None
        return best[0]

    def _candidates(self, ref: str) -> list[Oid]:
        """Commits here that may stand under a ref."""
        if ref.startswith(PAYLOAD_ROOT):
            expected = payload_refs(self._repo, self._records()).get(ref)
            return [expected] if expected is not None else []
        if ref.startswith(TRACKING_ROOT) and "/pacha/" in ref:
            return self._here.get(as_there(ref), [])
        if ref.startswith((*ITEM_ROOTS, NOTES_ROOT)) or ref == REGISTRY_REF:
            return self._here.get(ref, [])
        return every_commit(self._repo)

    def _by_right(self, ref: str) -> Oid | None:
        """Tell what stands under a ref whatever stood there: copies of it, or commits that spell it."""
        copies = [oid for other, oid in self._survey.refs.items() if as_there(other) == ref]
        here = self._here.get(ref, [])
        sound = [oid for oid in dict.fromkeys((*copies, *here)) if self._spells(oid) == ref]
        if ref.startswith(NOTES_ROOT):
            return self._united(ref, sound)
        if grows(ref):
            return self._furthest(sound)
        if ref == REGISTRY_REF:
            return self._last_settings(here, copies)
        if ref.startswith(PAYLOAD_ROOT):
            return next((oid for oid in self._candidates(ref) if self._repo.has(oid)), None)
        return sound[0] if sound and ref.startswith(ITEM_ROOTS) and not grows(ref) else None

    def _spells(self, commit: Oid) -> str | None:
        try:
            return spelled_ref(self._repo, commit)
        except (NotFound, Corrupt):
            return None

    def _united(self, ref: str, tips: list[Oid]) -> Oid | None:
        """Return all events of a name that are here: none is lost because one side lacks it."""
        if not tips:
            return None
        with changing(self._repo, f"mend {ref}") as changes:
            merged = tips[0]
            for tip in tips[1:]:
                merged = merge_tips(self._repo, changes, merged, tip)
        return merged

    def _furthest(self, commits: Iterable[Oid]) -> Oid | None:
        lengths: dict[Oid, int] = {}
        for commit in commits:
            with suppress(PachaError):
                lengths[commit] = sum(1 for _ in runs.history(self._repo, commit))
        return max(lengths, key=lambda commit: lengths[commit], default=None)

    def _last_settings(self, here: list[Oid], seen: list[Oid]) -> Oid | None:
        """Return the settings that no others here follow; those of a remote only if there are none of our own."""
        sound = [commit for commit in here if _is_settings(self._repo, commit)]
        before = {oid for commit in sound for oid in split_commit(self._repo.read_as(commit, "commit")).parents}
        last = [commit for commit in sound if commit not in before]
        own = [commit for commit in last if commit not in seen] or last
        return own[0] if len(own) == 1 else None

    # Refs that every registry has ------------------------------------------------------------------------------------

    def _mend_fixed(self) -> None:
        refs = self._survey.refs
        if refs.get(ROOT_REF) != ROOT_COMMIT or not self._repo.has(Oid(ROOT_COMMIT)):
            with changing(self._repo, "mend") as changes:
                if ROOT_REF in refs:
                    changes.move(ROOT_REF, None, refs[ROOT_REF])
            with changing(self._repo, "mend") as changes:
                write_root(self._repo, changes)
            refs[ROOT_REF] = Oid(ROOT_COMMIT)
            self.done.append(f"{ROOT_REF}: it was made again")
        if REGISTRY_REF not in refs and REGISTRY_REF not in self.wanted:
            value = self._by_right(REGISTRY_REF)
            if value is not None:
                self._put(REGISTRY_REF, value, "it was gone")
            else:
                self.wanted[REGISTRY_REF] = "it is gone"
        if MAIN not in refs and self._thorough:
            with changing(self._repo, "mend") as changes:
                write_readme(self._repo, changes)

    # Refs that lead to something else --------------------------------------------------------------------------------

    def _mend_wrong(self) -> None:
        for ref, oid in list(self._survey.refs.items()):
            try:
                spelled = spelled_ref(self._repo, oid)
            except (NotFound, Corrupt):
                self._mend_lost_tip(ref, oid)
                continue
            right = self._right_place(ref, spelled)
            if right != ref:
                self._move_away(ref, oid, right)

    def _mend_lost_tip(self, ref: str, oid: Oid) -> None:
        """The commit of a ref is not here: was its id altered, or the object lost?"""
        alike = self._alike(ref, oid.encode("ascii"))
        if alike is not None and alike != oid:
            self._put(ref, alike, f"it stood at {oid}, which is no object here")
        elif ref.startswith((TRACKING_ROOT, TMP_ROOT)):
            self._drop(ref, f"it stands at {oid}, which is not here")

    def _right_place(self, ref: str, spelled: str | None) -> str | None:
        """The ref under which what this one leads to belongs; the ref itself if nothing is to be said against it."""
        if ref.startswith(TRACKING_ROOT):
            return ref if spelled == as_there(ref) or not as_there(ref) else None
        if (
            ref.startswith(_OTHERS)
            or ref == ROOT_REF
            or (ref.startswith("refs/notes/") and not ref.startswith(NOTES_ROOT))
        ):
            return ref
        return ref if spelled is None and not ref.startswith((REF_ROOT, NOTES_ROOT)) else spelled

    def _move_away(self, ref: str, oid: Oid, right: str | None) -> None:
        """Take away what stands under the wrong ref, if it is kept elsewhere or the right one is known."""
        known = self._survey.refs
        value = self._by_right(ref) if _is_of_format(ref) or ref == REGISTRY_REF else None
        if right is not None and right not in known:
            self._put(right, oid, f"its commit stood under {ref}")
        elif right is not None and right.startswith(NOTES_ROOT):
            merged = self._united(right, [known[right], oid])
            if merged is not None:
                self._put(right, merged, f"events of it stood under {ref}")
        if value is not None:
            self._put(ref, value, f"it stood at {oid}, which is not what belongs there")
        elif right is not None or ref.startswith(TRACKING_ROOT):
            self._drop(ref, f"it led to {right or 'what belongs elsewhere'}")
        else:
            self.wanted[ref] = f"it stands at {oid}, which is not what belongs there"

    def _bring_back(self) -> None:
        """Tell where packed-refs was damaged, lines may be gone: what commits spell and no ref names comes back."""
        for ref in sorted(self._here):
            if ref not in self._survey.refs and _is_of_format(ref) and ref not in (ROOT_REF, REGISTRY_REF):
                value = self._by_right(ref)
                if value is not None:
                    self._put(ref, value, "no ref led to its commit")

    def _records(self) -> dict[str, Oid]:
        return {ref: oid for ref, oid in self._survey.refs.items() if ref.startswith(ITEM_ROOTS)}

    def _mend_payloads(self) -> None:
        """A payload's commit follows from its record."""
        expected = payload_refs(self._repo, self._records())
        places = {commit: ref for ref, commit in expected.items()}
        refs = self._survey.refs
        unknown = [ref for ref in self.wanted if ref in refs and refs[ref] in places and not _is_of_format(ref)]
        for ref, oid in [(ref, oid) for ref, oid in refs.items() if ref.startswith(PAYLOAD_ROOT) or ref in unknown]:
            self.wanted.pop(ref, None)
            right = expected.get(ref)
            if right == oid or (right is None and self._may_stand(ref, oid, places)):
                continue
            self._drop(ref, f"it stands at {oid}, which is not the payload of its record")
            if ref in expected:
                self.thin.add(ref)
            if oid in places and places[oid] not in refs and self._repo.has(oid):
                self._put(places[oid], oid, f"it stood under {ref}")
        for ref, commit in expected.items():
            if ref not in refs and (self.wide or ref in self.thin) and self._repo.has(commit):
                self._put(ref, commit, "its commit is here")
                self.thin.discard(ref)

    def _may_stand(self, ref: str, oid: Oid, places: dict[Oid, str]) -> bool:
        """Tell whether a payload without a record may be one that was pushed first."""
        if not ref.startswith(PAYLOAD_ROOT):
            return False
        if ref.replace(PAYLOAD_ROOT, REF_ROOT, 1) in self._survey.refs:
            return True  # the record can't be read yet
        return self._repo.has(oid) and not (oid in places and places[oid] not in self._survey.refs)

    # Moving ----------------------------------------------------------------------------------------------------------

    def _put(self, ref: str, oid: Oid, why: str) -> None:
        before = self._survey.refs.get(ref)
        if before == oid or (ref == ROOT_REF and not self._repo.has(oid)):
            return
        self._repo.refs.update([RefUpdate(ref, oid, before)])
        self._survey.refs[ref] = oid
        self.wanted.pop(ref, None)
        self.done.append(f"{ref}: {why}; it stands at {oid[:12]} again")

    def _drop(self, ref: str, why: str) -> None:
        self._repo.refs.update([RefUpdate(ref, None, self._survey.refs.pop(ref))])
        self.done.append(f"{ref}: {why}; it was removed")


def _is_of_format(ref: str) -> bool:
    """Tell whether a ref is one of docs/format.md 3, other than those that every registry has."""
    if not is_legal_name(ref.encode("utf-8", "surrogateescape")):
        return False
    try:
        if ref.startswith(ITEM_ROOTS):
            return bool(parse_item_ref(ref))
        return parse_notes_ref(ref) is not None
    except InvalidInput:
        return False


def _is_settings(repo: GitRepository, commit: Oid) -> bool:
    try:
        settings_at(repo, commit)
    except PachaError:
        return False
    return True
