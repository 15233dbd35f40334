"""Reading the Markdown of this repository: code blocks and links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repository import ROOT

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}) *(?P<language>[^`\n]*)$")
CODE = re.compile(r"^( *`{3,})[^`\n]*\n.*?^\1 *$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^]]+\]:\s*(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    language: str
    first_line: int
    lines: tuple[str, ...]

    @property
    def kind(self) -> str:
        """`"session"` if it shows a Python prompt and what follows it, else `"program"`."""
        return "session" if any(line.startswith(">>> ") for line in self.lines) else "program"


def blocks(document: Path) -> list[Block]:
    """Return the fenced blocks of *document*, a path relative to the root."""
    found: list[Block] = []
    opened: re.Match[str] | None = None
    start = 0
    lines = (ROOT / document).read_text().splitlines()
    for number, line in enumerate(lines, start=1):
        fence = FENCE.match(line)
        if fence and opened is None:
            opened, start = fence, number + 1
        elif opened and line.strip() == opened["fence"]:
            indent = len(opened["indent"])
            code = tuple(each[indent:] for each in lines[start - 1 : number - 1])
            found.append(Block(opened["language"].strip(), start, code))
            opened = None
    return found


def python_of(document: Path, kind: str) -> str:
    """Return the Python of *document*, each line where it stands there, so that errors fit.

    Args:
        document: A path relative to the root.
        kind: `"session"` for the blocks with a prompt, `"program"` for those without.
    """
    lines: list[str] = []
    for block in blocks(document):
        if block.language in {"python", "pycon"} and block.kind == kind:
            lines += [""] * (block.first_line - 1 - len(lines))
            lines += block.lines
    return "\n".join(lines) + "\n" if lines else ""


def relative_links(document: Path) -> Iterator[str]:
    """Yield the paths that *document* links to, without anchors; code is no text."""
    text = CODE.sub("", (ROOT / document).read_text())
    for link in LINK.finditer(text):
        target = (link[1] or link[2]).partition("#")[0]
        if target and not re.match(r"[a-z][a-z0-9+.-]*:", target):
            yield target
