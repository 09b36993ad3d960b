"""Files with members, pages and frames, made with what other programs make them with, and where their parts lie.

Where the parts lie is told by the program that made the file, or by the bytes put together here; none of it is told by
the code under test.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Sequence

Spans = list[tuple[int, int]]


def tar_file(members: Sequence[tuple[str, bytes]], *, pax: bool, time: float) -> tuple[bytes, Spans]:
    """A tar file, with the times of its members in extended headers if ``pax``."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT if pax else tarfile.USTAR_FORMAT) as archive:
        for number, (name, data) in enumerate(members):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mtime = time + number / 7 if pax else int(time)  # type: ignore[assignment]  # pax has fractions
            archive.addfile(info, io.BytesIO(data))
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        spans = [(each.offset_data, each.offset_data + -(-each.size // 512) * 512) for each in archive]
    return out.getvalue(), spans


def zip_file(members: Sequence[tuple[str, bytes]], *, packed: bool = False, wide: bool = False) -> tuple[bytes, Spans]:
    """A zip file; ``wide``: with sizes in extra fields of zip64, as for members of over 4 GiB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            with archive.open(info, "w", force_zip64=wide) as file:
                file.write(data)
    data = out.getvalue()
    spans = []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for each in archive.infolist():
            lengths = data[each.header_offset + 26 : each.header_offset + 30]
            start = (
                each.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
            )
            spans.append((start, start + each.compress_size))
    return data, spans


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def page_header(size: int, *, statistics: bytes = b"") -> bytes:
    """The header of a data page: type 0, sizes, 1,000 values in encodings 0, 3, 3, perhaps a greatest value."""
    zigzag = _varint(size << 1)
    inner = b"\x15" + _varint(2000) + b"\x15\x00\x15\x06\x15\x06"
    if statistics:
        inner += b"\x1c\x18" + _varint(len(statistics)) + statistics + b"\x00"
    return b"\x15\x00\x15" + zigzag + b"\x15" + zigzag + b"\x2c" + inner + b"\x00\x00"


def parquet_file(pages: Sequence[bytes], foot: bytes = b"foot") -> tuple[bytes, Spans]:
    """A file of pages, one behind the other, and a foot that is none."""
    out, spans = b"PAR1", []
    for number, page in enumerate(pages):
        whole = page_header(len(page), statistics=b"x" * 700 if number % 2 else b"") + page
        spans.append((len(out), len(out) + len(whole)))
        out += whole
    return out + foot + len(foot).to_bytes(4, "little") + b"PAR1", spans


def zstd_file(frames: Sequence[bytes], rest: bytes = b"") -> tuple[bytes, Spans]:
    """Frames of raw blocks of at most 128 KiB, with a check sum at the end of every other one, and what follows."""
    out, spans = b"", []
    for number, data in enumerate(frames):
        frame = b"\x28\xb5\x2f\xfd" + (b"\x84" if number % 2 else b"\x80") + b"\x58" + len(data).to_bytes(4, "little")
        for start in range(0, len(data), 131_072):
            piece = data[start : start + 131_072]
            is_last = start + 131_072 >= len(data)
            frame += (len(piece) << 3 | is_last).to_bytes(3, "little") + piece
        frame += b"SUM!" if number % 2 else b""
        spans.append((len(out), len(out) + len(frame)))
        out += frame
    return out + rest, spans
