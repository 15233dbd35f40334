"""Reading bytes one after the other, and never beyond the end."""

from hops.tls.errors import MaterialFormatError


class Scanner:
    """A place in *data*, which every reading moves on.

    Args:
        data: What is read.
        name: What it is, for the error message.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._name = name
        self._position = 0

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return len(self._data) - self._position

    @property
    def before(self) -> bytes:
        """All that has been read."""
        return self._data[: self._position]

    def take(self, count: int) -> bytes:
        """Read *count* bytes.

        Raises:
            MaterialFormatError: There are fewer.
        """
        if count > self.left:
            message = (
                f"The {self._name} is cut off or damaged: at byte {self._position} there should be "
                f"{count} bytes, and {self.left} are left."
            )
            raise MaterialFormatError(message, hint="copy the file again, in binary mode")
        self._position += count
        return self._data[self._position - count : self._position]

    def number(self, size_bytes: int) -> int:
        """Read an unsigned number, its highest byte first."""
        return int.from_bytes(self.take(size_bytes))

    def block(self, size_bytes: int) -> bytes:
        """Read as many bytes as the number of *size_bytes* before them says."""
        return self.take(self.number(size_bytes))
