"""Reading and writing DER, as far as key stores need it: definite lengths, one level at a time.

Source:
    ITU-T X.690, 8.1 (identifiers and lengths) and 10.1 (lengths are definite).
"""

from collections.abc import Iterator
from typing import NamedTuple

from hops.tls.errors import MaterialFormatError
from hops.tls.scan import Scanner

INTEGER, OCTETS, OBJECT_ID, SEQUENCE, EXPLICIT_0 = 0x02, 0x04, 0x06, 0x30, 0xA0

MOST_ITERATIONS = 5_000_000
"""More than any program writes: a store that asks for more is made to keep its reader busy."""

_LONG_FORM = 0x80
_LONGEST_LENGTH = 4


class Element(NamedTuple):
    """One value with its type."""

    tag: int
    content: bytes

    def encode(self) -> bytes:
        """Return the bytes that it was read from."""
        size = len(self.content)
        if size < _LONG_FORM:
            return bytes([self.tag, size]) + self.content
        length = size.to_bytes((size.bit_length() + 7) // 8)
        return bytes([self.tag, _LONG_FORM | len(length)]) + length + self.content


def read_elements(data: bytes, name: str) -> list[Element]:
    """Read the elements that *data* is made of.

    Args:
        data: The content of a sequence, or a whole file.
        name: What it is, for the error message.

    Raises:
        MaterialFormatError: The last one is cut off, or a length has a form that DER does not have.
    """
    return list(_read(Scanner(data, name), name))


def expect(elements: list[Element], *tags: int, name: str) -> list[bytes]:
    """Return the contents of the first elements, which have to have these *tags*.

    Raises:
        MaterialFormatError: They have others.
    """
    found = [each.tag for each in elements[: len(tags)]]
    if found != list(tags):
        message = f"The {name} is damaged: found values of the types {found}, expected {[*tags]}."
        raise MaterialFormatError(message)
    return [each.content for each in elements[: len(tags)]]


def read_iterations(content: bytes, name: str) -> int:
    """Read how often a digest is repeated, from the content of an INTEGER.

    Raises:
        MaterialFormatError: It is less than one, or more than `MOST_ITERATIONS`.
    """
    iterations = int.from_bytes(content, signed=True)
    if not 0 < iterations <= MOST_ITERATIONS:
        shown = f"{iterations}" if len(content) <= _LONGEST_LENGTH else "a huge number"
        message = f"The {name} asks for {shown} iterations. Expected from 1 to {MOST_ITERATIONS}."
        raise MaterialFormatError(message)
    return iterations


def _read(scanner: Scanner, name: str) -> Iterator[Element]:
    while scanner.left:
        tag = scanner.number(1)
        size = scanner.number(1)
        if size >= _LONG_FORM:
            size = scanner.number(_size_of_length(size, name))
        yield Element(tag, scanner.take(size))


def _size_of_length(first: int, name: str) -> int:
    size = first - _LONG_FORM
    if not 0 < size <= _LONGEST_LENGTH:
        message = f"The {name} is damaged, or not written in DER: it has a length of {size} bytes."
        raise MaterialFormatError(message, hint="rewrite it with keytool -importkeystore")
    return size
