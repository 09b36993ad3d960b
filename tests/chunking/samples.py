"""Inputs that anybody can make again: pseudo-random bytes from BLAKE3, and the smallest real tensor files."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from itertools import accumulate

import blake3

from pacha_git.chunking.cutter import WINDOW_BYTES, chunks


def bytes_of(seed: str, length: int) -> bytes:
    """The first bytes of BLAKE3's output for the seed."""
    return blake3.blake3(seed.encode()).digest(length=length)


def safetensors_file(tensors: Sequence[tuple[str, bytes]]) -> bytes:
    """A file of byte tensors in the order given, its header padded to 8 bytes as the library does."""
    header, position = {}, 0
    for name, body in tensors:
        header[name] = {"dtype": "U8", "shape": [len(body)], "data_offsets": [position, position + len(body)]}
        position += len(body)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(body for _, body in tensors)


def gguf_string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def gguf_key(name: str, kind: int, value: bytes) -> bytes:
    return gguf_string(name) + struct.pack("<I", kind) + value


def gguf_file(
    tensors: Sequence[tuple[str, bytes]], keys: Sequence[bytes] = (), *, version: int = 3, alignment: int = 32
) -> bytes:
    """A GGUF file of I8 tensors, each at the next multiple of the alignment (named in ``keys`` unless it is 32)."""
    infos, offset, body = b"", 0, b""
    for name, data in tensors:
        body += bytes(offset - len(body)) + data
        infos += gguf_string(name) + struct.pack("<IQIQ", 1, len(data), 24, offset)
        offset += -(-len(data) // alignment) * alignment
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys)) + b"".join(keys) + infos
    return head + bytes(-len(head) % alignment) + body


def gguf_sample_keys() -> list[bytes]:
    """Metadata of every shape: strings, numbers, arrays of both, and an alignment of 64."""
    return [
        gguf_key("general.architecture", 8, gguf_string("llama")),
        gguf_key("general.alignment", 4, struct.pack("<I", 64)),
        gguf_key("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 3) + b"".join(map(gguf_string, ("<s>", "a", "ab")))),
        gguf_key("tokenizer.ggml.scores", 9, struct.pack("<IQ", 6, 3) + bytes(12)),
        gguf_key("llama.vocab_only", 7, b"\0"),
    ]


def chunks_of(data: bytes, cuts: Sequence[int] = (), *, step: int = 1 << 30, window: int = WINDOW_BYTES) -> list[bytes]:
    """The chunks of a file that is read ``step`` bytes at a time."""
    position = 0

    def read(into: memoryview) -> int:
        nonlocal position
        piece = data[position : position + min(step, len(into))]
        into[: len(piece)] = piece
        position += len(piece)
        return len(piece)

    found = []
    for got in chunks(read, len(data), cuts, window=window):
        found += [bytes(got.data[start:end]) for start, end in got.spans]
        got.release()
    return found


def ends_of(data: bytes, cuts: Sequence[int] = ()) -> list[int]:
    """Where the chunks of a file end."""
    return list(accumulate(map(len, chunks_of(data, cuts))))
