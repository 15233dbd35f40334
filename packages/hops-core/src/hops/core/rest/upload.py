"""Sending a file in pieces.

Source:
    The fields of a piece: those of flow.js, which the data sets of Hopsworks take.
"""

import os
from dataclasses import replace
from pathlib import Path

from hops.core.errors import SettingsError
from hops.core.rest.download import Progress
from hops.core.rest.session import Call, Session

PIECE_BYTES = 10 << 20
"""How much is sent at a time, and so is in memory, and is sent again if it gets lost."""

MOST_PIECES = 10_000
"""How many the service takes; the pieces of a file that would need more are larger."""


def send_file(
    session: Session, call: Call, file: Path, name: str, progress: Progress | None
) -> None:
    """Send *file* by as many calls like *call* as it needs, an empty one by one.

    A piece has a number, and so may be sent again: the service keeps the last.

    Raises:
        SettingsError: The file became shorter meanwhile.
    """
    import uuid

    with file.open("rb") as source:
        total = os.fstat(source.fileno()).st_size
        size = max(PIECE_BYTES, -(-total // MOST_PIECES))
        identifier = uuid.uuid4().hex
        for number, begin in enumerate(range(0, max(total, 1), size), start=1):
            piece = source.read(min(size, total - begin))
            if len(piece) != min(size, total - begin):
                message = f"The file {str(file)!r} became shorter while it was sent."
                raise SettingsError(message)
            fields = {
                "flowChunkNumber": number,
                "flowChunkSize": size,
                "flowCurrentChunkSize": len(piece),
                "flowTotalSize": total,
                "flowIdentifier": identifier,
                "flowFilename": name,
                "flowRelativePath": name,
                "flowTotalChunks": max(1, -(-total // size)),
                "templateId": -1,
            }
            session.fetch(replace(call, body=fields, file=(name, piece), repeatable=True))
            if progress:
                progress(begin + len(piece), total)
