"""The reader: every object, wherever git has put it by now, and never a damaged one."""

from __future__ import annotations

import random
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from pacha_git.errors import Corrupt, NotFound
from pacha_git.git.packs.reader import PackSet
from pacha_git.git.packs.writer import PackWriter
from pacha_git.gitobjects.oid import Oid
from tests.chunking.samples import bytes_of
from tests.git.stock import age, bare, files_in, git, hold, packs_of, read_by_git

ABSENT = Oid("12" * 20)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return bare(tmp_path / "repo")


def write(repo: Path, bodies: list[bytes]) -> list[Oid]:
    with PackWriter(repo / "objects", reason="test") as writer:
        oids = [writer.add("blob", body) for body in bodies]
        writer.finish()
    return oids


def alike(count: int) -> list[bytes]:
    """Texts of which git makes deltas, small and large."""
    text = [b"line %d of many\n" % number for number in range(3000)]
    return [b"".join([*text[: number * 20], b"new %d\n" % number, *text]) for number in range(count)]


def pack_files(repo: Path, suffix: str = ".pack") -> list[Path]:
    return sorted((repo / "objects" / "pack").glob("*" + suffix))


def test_what_was_written_is_read(repo: Path) -> None:
    bodies = [bytes_of(str(size), size) for size in (0, 1, 4000, 4096, 5000, 262_144, 3_000_000)] + [bytes(10_000_000)]
    oids = write(repo, bodies)
    packs = packs_of(repo)
    assert [packs.read(oid) for oid in oids] == [("blob", body) for body in bodies]
    assert list(packs.read_many(oids)) == bodies


@pytest.mark.parametrize("delta", [False, True])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_announces_too_much_is_not_unpacked(repo: Path, place: int, delta: bool) -> None:
    """A pack of a hundred kilobytes with a blob of 40 MiB, as it is and as a delta of another."""
    huge = bytes(40 << 20)
    bodies = [b"small", b"another"]
    bodies.insert(place, huge)
    oids = write(repo, [*bodies, *([huge + b"x"] if delta else [])])
    if delta:
        hold(repo, *oids)
        git(repo, "-c", "core.bigFileThreshold=1g", "repack", "-adf")
    tracemalloc.start()
    packs = packs_of(repo)
    with pytest.raises(Corrupt, match="may have"):
        list(packs.read_many(oids))
    assert list(packs.read_sound(oids))[place] is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert packs.read(oids[place])[1] == huge


def test_what_is_not_here_is_not_found(repo: Path) -> None:
    packs = packs_of(repo)
    assert packs.find(ABSENT) is None
    with pytest.raises(NotFound):
        packs.read(ABSENT)
    with pytest.raises(NotFound):
        list(packs.read_many([ABSENT]))


def test_deltas_of_stock_git_are_read(repo: Path) -> None:
    bodies = alike(60)
    oids = write(repo, bodies)
    hold(repo, *oids)
    git(repo, "repack", "-adf", "--depth=50")
    (pack,) = pack_files(repo)
    assert pack.stat().st_size < 200_000
    packs = packs_of(repo)
    assert [packs.read(oid)[1] for oid in oids] == bodies
    assert list(packs.read_many(oids)) == bodies


def test_deltas_with_named_bases_are_read(repo: Path, tmp_path: Path) -> None:
    """As they arrive from servers that know no offsets."""
    bodies = alike(10)
    hold(repo, *write(repo, bodies))
    names = git(repo, "rev-list", "--objects", "--no-object-names", "--all")
    packed = git(repo, "pack-objects", "--stdout", "--no-reuse-delta", stdin=names)
    other = bare(tmp_path / "other")
    git(other, "index-pack", "--stdin", stdin=packed)
    oids = [Oid(name) for name in names.decode().split()]
    assert [packs_of(other).read(oid) for oid in oids] == [read_by_git(repo, oid) for oid in oids]


def test_every_type_is_read(repo: Path) -> None:
    hold(repo, *write(repo, [b"x", b"y"]))
    git(repo, "tag", "-a", "-m", "words", "v1", "refs/heads/held")
    git(repo, "repack", "-adf")
    packs = packs_of(repo)
    names = git(repo, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").decode().split()
    found = [packs.read(Oid(name)) for name in names]
    assert found == [read_by_git(repo, Oid(name)) for name in names]
    assert {kind for kind, _ in found} == {"blob", "tree", "commit", "tag"}


def test_loose_objects_are_left_to_the_fallback(repo: Path) -> None:
    oid = Oid(git(repo, "hash-object", "-w", "--stdin", stdin=b"loose").decode().strip())
    packs = PackSet(repo / "objects", lambda oid: read_by_git(repo, oid))
    assert packs.find(oid) is None
    assert packs.missing([oid.raw, ABSENT.raw]) == {ABSENT.raw}
    assert packs.read(oid) == ("blob", b"loose")
    assert list(packs.read_many([oid, oid])) == [b"loose"] * 2


def test_a_fallback_that_gives_other_bytes_is_not_believed(repo: Path) -> None:
    packs = PackSet(repo / "objects", lambda oid: ("blob", b"something else"))
    with pytest.raises(Corrupt):
        packs.read(ABSENT)


def test_alternates_are_read(repo: Path, tmp_path: Path) -> None:
    """Named from the root or from the folder; also those of an alternate."""
    far, near = bare(tmp_path / "far"), bare(tmp_path / "near")
    (in_far,), (in_near,), (here,) = write(far, [b"far"]), write(near, [b"near"]), write(repo, [b"here"])
    packs = packs_of(repo)
    assert packs.find(in_far) is None
    (near / "objects" / "info" / "alternates").write_text("../../far/objects\n")
    (repo / "objects" / "info" / "alternates").write_text(f"# where\n{near / 'objects'}\n/nowhere/objects\n")
    assert [packs.read(oid)[1] for oid in (in_far, in_near, here)] == [b"far", b"near", b"here"]
    assert packs.missing([in_far.raw, in_near.raw, here.raw, ABSENT.raw]) == {ABSENT.raw}


def test_alternates_that_name_each_other_end(repo: Path, tmp_path: Path) -> None:
    other = bare(tmp_path / "other")
    (repo / "objects" / "info" / "alternates").write_text(f"{other / 'objects'}\n")
    (other / "objects" / "info" / "alternates").write_text(f"{repo / 'objects'}\n")
    assert packs_of(repo).find(ABSENT) is None


def test_packs_that_appear_are_found(repo: Path) -> None:
    """At once, however soon after the last look they come."""
    packs = packs_of(repo)
    for number in range(30):
        body = b"%d" % number
        assert packs.missing([ABSENT.raw]) == {ABSENT.raw}
        (oid,) = write(repo, [body])
        assert packs.read(oid) == ("blob", body)
    assert packs.missing([oid.raw]) == set()


def test_packs_that_vanish_are_forgotten(repo: Path) -> None:
    oids = write(repo, [b"x", b"y"])
    packs = packs_of(repo)
    assert packs.missing([oid.raw for oid in oids]) == set()
    for path in pack_files(repo, ""):
        path.unlink()
    assert packs.missing([oid.raw for oid in oids]) == {oid.raw for oid in oids}
    with pytest.raises(NotFound):
        packs.read(oids[0])


@pytest.mark.parametrize(
    "commands",
    [
        [["repack", "-adf"]],
        [["gc", "--prune=now"]],
        [["repack", "-dl", "--geometric=2", "--write-midx"]],
        [["multi-pack-index", "write"], ["multi-pack-index", "repack"], ["multi-pack-index", "expire"]],
        [["repack", "-adf"], ["unpack-all"]],
    ],
)
def test_reading_goes_on_while_git_repacks(repo: Path, commands: list[list[str]]) -> None:
    bodies = [bytes_of(str(number), 20_000) for number in range(300)]
    oids = [oid for start in range(0, 300, 50) for oid in write(repo, bodies[start : start + 50])]
    hold(repo, *oids)
    packs = PackSet(repo / "objects", lambda oid: read_by_git(repo, oid))
    reading = packs.read_many(oids)
    got = [next(reading)]
    for command in commands:
        if command == ["unpack-all"]:
            unpack_all(repo)
        else:
            git(repo, *command)
    got += reading
    assert got == bodies
    assert [packs.read(oid)[1] for oid in oids[:20]] == bodies[:20]
    assert packs.missing([oid.raw for oid in oids]) == set()
    assert packs.freshen([oid.raw for oid in oids]) == set()


def unpack_all(repo: Path) -> None:
    for path in pack_files(repo):
        data = path.read_bytes()
        for part in pack_files(repo, ""):
            if part.stem == path.stem:
                part.unlink()
        git(repo, "unpack-objects", "-q", stdin=data)


def test_many_repacks_during_one_reading(repo: Path) -> None:
    bodies = [bytes_of(str(number), 3000) for number in range(400)]
    oids = write(repo, bodies)
    hold(repo, *oids)
    packs = packs_of(repo)
    shuffled = random.Random(1).sample(range(400), 400)
    for step, (number, body) in enumerate(zip(shuffled, packs.read_many(oids[n] for n in shuffled), strict=True)):
        assert body == bodies[number]
        if step % 80 == 0:
            git(repo, "repack", "-adfq", f"--window={step // 80}")


@pytest.mark.damaged
def test_a_damaged_copy_is_passed_over(repo: Path) -> None:
    body = bytes_of("x", 30_000)
    for other in (b"first", b"second"):
        (oid, _) = write(repo, [body, other])
    for path in pack_files(repo):
        data = bytearray(path.read_bytes())
        intact = bytes(data)
        data[300] ^= 1
        rewrite(path, bytes(data))
        for packs in (packs_of(repo), packs_of(repo)):
            assert packs.read(oid) == ("blob", body)
            assert list(packs.read_many([oid, oid])) == [body] * 2
        rewrite(path, intact)


@pytest.mark.damaged
@pytest.mark.parametrize("where", [13, 300, 29_000])
def test_damage_without_another_copy_is_an_error(repo: Path, where: int) -> None:
    (oid,) = write(repo, [bytes_of("x", 30_000)])
    (path,) = pack_files(repo)
    data = bytearray(path.read_bytes())
    data[where] ^= 0x11
    rewrite(path, bytes(data))
    packs = packs_of(repo)
    with pytest.raises(Corrupt) as caught:
        packs.read(oid)
    assert oid in caught.value.message
    assert "fsck" in caught.value.hint
    with pytest.raises(Corrupt):
        list(packs.read_many([oid]))


@pytest.mark.damaged
def test_a_sound_copy_that_comes_later_is_found(repo: Path) -> None:
    body = bytes_of("x", 30_000)
    (oid,) = write(repo, [body])
    packs = packs_of(repo)
    (path,) = pack_files(repo)
    rewrite(path, path.read_bytes()[:200] + bytes(100) + path.read_bytes()[300:])
    with pytest.raises(Corrupt):
        packs.read(oid)
    write(repo, [body, b"more"])
    assert packs.read(oid) == ("blob", body)


@pytest.mark.damaged
def test_a_pack_cut_short_and_one_of_another_index_are_damaged(repo: Path) -> None:
    (oid,) = write(repo, [bytes_of("x", 30_000)])
    (path,) = pack_files(repo)
    whole = path.read_bytes()
    for data in (b"", whole[:20], whole[:15_000], whole[:15_000] + whole[-20:], b"JUNK" + whole[4:], whole[:-1] + b"x"):
        rewrite(path, data)
        with pytest.raises(Corrupt):
            packs_of(repo).read(oid)


@pytest.mark.damaged
def test_a_damaged_index_hides_only_its_own_pack(repo: Path) -> None:
    (first,) = write(repo, [b"first"])
    (index,) = pack_files(repo, ".idx")
    (second,) = write(repo, [b"second"])
    rewrite(index, b"rubbish")
    packs = packs_of(repo)
    assert packs.read(second) == ("blob", b"second")
    assert packs.missing([first.raw, second.raw]) == {first.raw}


def rewrite(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def test_cruft_is_read_and_not_relied_on(repo: Path) -> None:
    (held,) = write(repo, [b"held"])
    (loose,) = write(repo, [b"nobody holds it"])
    hold(repo, held)
    git(repo, "repack", "--cruft", "-d")
    assert ".mtimes" in files_in(repo)
    packs = packs_of(repo)
    assert packs.read(loose) == ("blob", b"nobody holds it")
    assert packs.find(loose) is not None
    assert packs.find_durable(loose) is None
    assert packs.find_durable(held) is not None
    wanted = [held.raw, loose.raw, ABSENT.raw]
    assert packs.missing(wanted) == {ABSENT.raw}
    assert packs.missing(wanted, durable=True) == packs.freshen(wanted) == {loose.raw, ABSENT.raw}


def test_freshen_protects_from_a_gc(repo: Path) -> None:
    """Objects of two weeks' age that nothing holds: gc frees them, unless they were freshened."""
    (old,) = write(repo, [b"old"])
    (relied_on,) = write(repo, [b"relied on"])
    loose = Oid(git(repo, "hash-object", "-w", "--stdin", stdin=b"loose").decode().strip())
    for path in [*pack_files(repo), repo / "objects" / loose[:2] / loose[2:]]:
        age(path, 30 * 86_400)
    packs = packs_of(repo)
    assert packs.freshen([relied_on.raw, loose.raw]) == set()
    git(repo, "gc", "--prune=2.weeks.ago")
    assert packs.missing([old.raw, relied_on.raw, loose.raw]) == {old.raw}


def test_many_packs_need_few_descriptors(repo: Path) -> None:
    bodies = [bytes_of(str(number), 100) for number in range(120)]
    oids = [write(repo, [body])[0] for body in bodies]
    packs = packs_of(repo)
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert [packs.read(oid)[1] for oid in oids] == bodies
    assert list(packs.read_many(oids)) == bodies
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 32


def test_presence_of_many_is_quick(repo: Path) -> None:
    oids = write(repo, [b"%d" % number for number in range(16_000)])
    packs = packs_of(repo)
    wanted = [oid.raw for oid in oids]
    packs.missing(wanted[:1])
    absent = [bytes_of(str(number), 20) for number in range(16_000)]
    began = time.process_time()
    assert packs.missing(wanted) == set()
    assert packs.missing(absent) == set(absent)
    assert packs.missing(wanted[:100] + absent[:100]) == set(absent[:100])
    assert time.process_time() - began < 0.2


def test_reading_ahead_is_bounded_and_may_end_early(repo: Path) -> None:
    oids = write(repo, [bytes_of(str(number), 200_000) for number in range(300)])
    packs = packs_of(repo)
    tracemalloc.start()
    try:
        total = sum(len(body) for body in packs.read_many(oids))
        assert tracemalloc.get_traced_memory()[1] < 48 << 20
    finally:
        tracemalloc.stop()
    assert total == 60_000_000
    reading = packs.read_many(oids)
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert list(packs.read_many([])) == []


def test_any_order_is_kept(repo: Path) -> None:
    bodies = [bytes_of(str(number), 500 + number) for number in range(200)]
    oids = write(repo, bodies[:100]) + write(repo, bodies[100:])
    chosen = random.Random(3).choices(range(200), k=900) + list(range(200)) + list(range(199, -1, -1))
    assert list(packs_of(repo).read_many(oids[number] for number in chosen)) == [bodies[number] for number in chosen]


def test_threads_share_a_reader_while_packs_come_and_go(repo: Path) -> None:
    """Forty packs take turns among the open files, and each read must still get the bytes of its own pack."""
    bodies = [bytes_of(str(number), 3000) for number in range(80)]
    oids = [oid for start in range(0, 80, 2) for oid in write(repo, bodies[start : start + 2])]
    hold(repo, *oids)
    packs = packs_of(repo)
    wrong: list[int] = []

    def read(seed: int) -> None:
        chosen = random.Random(seed).choices(range(80), k=600)
        for number, body in zip(chosen, packs.read_many(oids[n] for n in chosen), strict=True):
            if body != bodies[number] or packs.read(oids[number])[1] != body:
                wrong.append(number)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    git(repo, "repack", "-dq", "--geometric=2")
    git(repo, "repack", "-adfq")
    for thread in threads:
        thread.join()
    assert wrong == []
    assert packs.missing([oid.raw for oid in oids]) == set()
