"""What a record says of a version's bytes, made from manifest lines and checked against them; it reads no payload.

The format is docs/format.md, "record.json".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from pacha_git.errors import Corrupt, InvalidInput
from pacha_git.format import canonical
from pacha_git.format.fields import AddressText, Files, OidText, Part, Size
from pacha_git.format.manifest import FileLine, check_paths, content_address, sorted_lines
from pacha_git.gitobjects.oid import Oid

FILES_LIMIT: Final = 256 * 2**10

_LEAST_LINE: Final = 120
# A key that older builds keep without knowing it; so it is no field, and what others write there is kept as it is.
_FOLDER: Final = "folder"


class Content(Part):
    """The bytes of a version.

    Attributes:
        address: Of the one file, or of the list of files.
        address_of: Which of the two.
        size: Of all files together, in bytes.
        file_count: How many.
        layout: How they were cut.
        tree: Oid of the payload commit's tree.
        manifest: Oid of the manifest.
        files: The manifest's lines less ``parts``; None if the record would be 256 KiB or more with them.
    """

    address: AddressText
    address_of: Literal["file", "list"]
    size: Size
    file_count: Annotated[int, Field(ge=1)]
    layout: str
    tree: OidText
    manifest: OidText
    files: Files = None

    @property
    def is_folder(self) -> bool:
        """Whether it is given out as a folder: it has several files, or was one with a single file in it."""
        return self.file_count > 1 or (self.model_extra or {}).get(_FOLDER) is True

    def as_folder(self) -> Content:
        """Return the same as of a folder that was registered."""
        return self if self.is_folder else self.model_copy(update={_FOLDER: True})


def make_content(lines: Iterable[FileLine], *, layout: str, tree: Oid, manifest: Oid) -> Content:
    """What a record says of a payload with these manifest lines; their list is left out if it is sure to be too long.

    Args:
        lines: The manifest's, in any order.
        layout: How they were cut.
        tree: Of the payload commit.
        manifest: The blob of the manifest.

    Raises:
        InvalidInput: there is no line.
    """
    files = sorted_lines(lines)
    address, address_of = content_address(files)
    return Content(
        address=address,
        address_of=address_of,
        size=sum(line.size for line in files),
        file_count=len(files),
        layout=layout,
        tree=tree,
        manifest=manifest,
        files=tuple(map(FileLine.without_parts, files)) if len(files) * _LEAST_LINE < FILES_LIMIT else None,
    )


def check_content(content: Content, lines: Iterable[FileLine]) -> None:
    """Check that a record's content is what these files have: address, sizes, count, and the list of files.

    Args:
        content: What the record says.
        lines: The lines of the manifest, or the record's own list of files.

    Raises:
        Corrupt: with what differs.
    """
    files = list(lines)
    try:
        check_paths([line.path for line in files])
        address = content_address(files)
    except InvalidInput as error:
        raise Corrupt(error.message) from None
    if files != sorted_lines(files):
        raise Corrupt("the list of files is not sorted by path")
    if address != (content.address, content.address_of):
        raise Corrupt(f"the files have the address {address[0]}, the record says {content.address}")
    if (sum(line.size for line in files), len(files)) != (content.size, content.file_count):
        raise Corrupt(f"the sizes or number of the files are not what the record of {content.address} says")
    if content.files is not None and list(content.files) != [line.without_parts() for line in files]:
        raise Corrupt(f"the list of files in the record is not that of its manifest ({content.address})")


def encode_with_content(value: dict[str, Any]) -> bytes:
    """Write a record or run as canonical JSON; its list of files is left out from 256 KiB on, in ``value`` too."""
    content = value["content"]
    if content is not None and content["files"] is None:
        del content["files"]
    data = canonical.encode(value)
    if content is not None and "files" in content and len(data) >= FILES_LIMIT:
        del content["files"]
        data = canonical.encode(value)
    return data
