import fcntl
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hops.core import ResourceNotFoundError, ServiceError, ServiceUnreachableError, SettingsError
from hops.core.rest import AnswerCutError, RestClient
from hops.core.rest.partial import Partial
from hops.core.rest.session import CHUNK_BYTES
from hops.core.testing import Fault, HttpsServer, Request, Response, in_turn

Connect = Callable[..., RestClient]

CONTENT = bytes(range(256)) * (16 * CHUNK_BYTES // 256)
HALF = len(CONTENT) // 2


class Store:
    """Answers with the ranges of a content, and breaks off as often as it is told."""

    def __init__(self, content: bytes = CONTENT, tag: str | None = '"1"') -> None:
        self.content = content
        self.tag = tag
        self.faults: list[Fault] = []

    def __call__(self, request: Request) -> Response:
        """Answer the range that is asked for, if the condition holds."""
        fault = self.faults.pop(0) if self.faults else None
        headers = {"ETag": self.tag} if self.tag else {}
        since = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        if not since or request.headers["if-range"] != self.tag:
            return Response(self.content, 200, headers, fault)
        begin, end = int(since[1]), len(self.content)
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{end}"
        return Response(self.content[begin:], 206, headers, fault)


@pytest.fixture
def store(server: HttpsServer) -> Store:
    """Return what the server has to give."""
    store = Store()
    server.answer = store
    return store


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return where to save, in a directory of its own."""
    path = tmp_path / "saved" / "file.bin"
    path.parent.mkdir()
    return path


def ranges(server: HttpsServer) -> list[str | None]:
    """Return what each request wanted of the content."""
    return [each.headers.get("range") for each in server.requests]


def names(target: Path) -> list[str]:
    """Return what is in the directory of *target*."""
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_is_saved(
    server: HttpsServer, client: RestClient, store: Store, target: Path
) -> None:
    """It takes the place of the old one, with the usual permissions, and progress is told."""
    target.write_bytes(b"old")
    told: list[tuple[int, int | None]] = []

    saved = client.download("d", "a/b", to=target, progress=lambda *now: told.append(now))

    assert saved == target
    assert target.read_bytes() == store.content
    assert names(target) == [target.name]
    assert server.requests[0].target == "/api/d/a%2Fb"
    assert server.requests[0].headers["accept-encoding"] == "identity"
    assert (told[0], told[-1]) == ((0, len(CONTENT)), (len(CONTENT), len(CONTENT)))
    assert told == sorted(told)
    assert len(told) > 3


@pytest.mark.usefixtures("store")
def test_permissions_are_those_of_any_new_file(client: RestClient, target: Path) -> None:
    """What the umask of the user leaves."""
    client.download("x", to=target)
    other = target.with_name("other")
    other.touch()

    assert target.stat().st_mode == other.stat().st_mode


def test_an_empty_file_is_saved(client: RestClient, store: Store, target: Path) -> None:
    """Nothing is something, too."""
    store.content = b""

    client.download("x", to=target)

    assert target.read_bytes() == b""
    assert names(target) == [target.name]


def test_a_cut_download_goes_on_where_it_was(
    server: HttpsServer, client: RestClient, store: Store, target: Path
) -> None:
    """After a cut, only the rest is asked for, and only if the content is the same."""
    store.faults = [Fault.CUT, Fault.CUT]

    client.download("x", to=target)

    assert target.read_bytes() == store.content
    assert ranges(server) == [None, f"bytes={HALF}-", f"bytes={HALF + HALF // 2}-"]
    assert [each.headers.get("if-range") for each in server.requests] == [None, '"1"', '"1"']


def test_a_download_that_gets_further_does_not_give_up(
    server: HttpsServer, client: RestClient, store: Store, target: Path
) -> None:
    """Only cuts in a row are counted, so that a large file arrives over a bad connection."""
    store.faults = [Fault.CUT] * 4

    client.download("x", to=target)

    assert target.read_bytes() == store.content
    assert len(server.requests) == 5


def test_silence_in_the_middle_is_a_cut(
    server: HttpsServer, connect: Connect, store: Store, target: Path
) -> None:
    """After the time limit, the rest is asked for."""
    store.faults = [Fault.STALLED]

    connect(read_s=1).download("x", to=target)

    assert target.read_bytes() == store.content
    assert ranges(server) == [None, f"bytes={HALF}-"]


def test_content_that_changed_is_fetched_from_its_beginning(
    client: RestClient, store: Store, target: Path
) -> None:
    """The halves of two versions never make one file."""
    other = Store(CONTENT[::-1], '"2"')
    told: list[int] = []

    def progress(done: int, total: int | None) -> None:
        told.append(done)
        assert total == len(CONTENT)
        if done == HALF:
            store.content, store.tag = other.content, other.tag

    store.faults = [Fault.CUT]
    client.download("x", to=target, progress=progress)

    assert target.read_bytes() == other.content
    assert told.count(0) == 2
    assert names(target) == [target.name]


def test_content_without_a_version_is_fetched_from_its_beginning(
    server: HttpsServer, client: RestClient, store: Store, target: Path
) -> None:
    """Without a version nobody knows whether the rest would fit."""
    store.tag = None
    store.faults = [Fault.CUT]

    client.download("x", to=target)

    assert target.read_bytes() == store.content
    assert ranges(server) == [None, None]


def test_a_weak_version_is_none(
    server: HttpsServer, client: RestClient, store: Store, target: Path
) -> None:
    """A tag that does not stand for every byte does not allow to go on."""
    store.tag = 'W/"1"'
    store.faults = [Fault.CUT]

    client.download("x", to=target)

    assert ranges(server) == [None, None]


def test_a_service_without_ranges_sends_the_whole_again(
    server: HttpsServer, client: RestClient, target: Path
) -> None:
    """It is saved once, and not behind the half that had come."""
    headers = {"ETag": '"1"'}
    server.answer = in_turn(
        Response(CONTENT, headers=headers, fault=Fault.CUT), Response(CONTENT, headers=headers)
    )

    client.download("x", to=target)

    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("where", ["bytes 1-9/10", "bytes */10", ""])
def test_a_part_that_was_not_asked_for_is_an_error(
    server: HttpsServer, client: RestClient, target: Path, where: str
) -> None:
    """A part is never taken for the whole."""
    server.answer = in_turn(Response(b"x", 206, {"Content-Range": where}))

    with pytest.raises(ServiceError, match="not asked for"):
        client.download("x", to=target)

    assert names(target) == []


def test_another_part_than_asked_for_is_an_error(
    server: HttpsServer, client: RestClient, target: Path
) -> None:
    """The parts that are put together touch each other."""
    server.answer = in_turn(
        Response(CONTENT, headers={"ETag": '"1"'}, fault=Fault.CUT),
        Response(CONTENT[1:], 206, {"Content-Range": f"bytes 1-{len(CONTENT) - 1}/{len(CONTENT)}"}),
    )

    with pytest.raises(ServiceError, match="the part 'bytes 1-"):
        client.download("x", to=target)

    assert not target.exists()


HALVES = {"ETag": '"1"', "Content-Range": f"bytes {HALF}-{HALF + 1}/{len(CONTENT)}"}


def test_less_than_the_rest_is_not_the_whole(
    server: HttpsServer, client: RestClient, target: Path
) -> None:
    """A service may send a part of the part: the call asks for what is missing then."""
    last = HALVES | {"Content-Range": f"bytes {HALF + 2}-{len(CONTENT) - 1}/{len(CONTENT)}"}
    server.answer = in_turn(
        Response(CONTENT, headers={"ETag": '"1"'}, fault=Fault.CUT),
        Response(CONTENT[HALF : HALF + 2], 206, HALVES),
        Response(CONTENT[HALF + 2 :], 206, last),
    )

    client.download("x", to=target)

    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None, f"bytes={HALF}-", f"bytes={HALF + 2}-"]


@pytest.mark.parametrize(
    "answer", [Response(CONTENT[HALF:], 206, HALVES | {"ETag": '"2"'}), Response(b"", 416)]
)
def test_what_does_not_fit_behind_the_part_is_not_put_there(
    server: HttpsServer, client: RestClient, target: Path, answer: Response
) -> None:
    """The rest of another content, or none: the call begins anew, without the part."""
    server.answer = in_turn(
        Response(CONTENT, headers={"ETag": '"1"'}, fault=Fault.CUT),
        answer,
        Response(CONTENT, headers={"ETag": '"2"'}),
    )

    client.download("x", to=target)

    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None, f"bytes={HALF}-", None]


def test_a_failed_download_leaves_the_old_file(
    client: RestClient, store: Store, target: Path
) -> None:
    """The target is as before; without a version no part is kept."""
    target.write_bytes(b"old")
    store.tag = None
    store.faults = [Fault.CUT] * 3

    with pytest.raises(AnswerCutError):
        client.download("x", to=target)

    assert target.read_bytes() == b"old"
    assert names(target) == [target.name]


def test_a_later_call_goes_on(
    server: HttpsServer, client: RestClient, connect: Connect, store: Store, target: Path
) -> None:
    """What a call has left when the service went away need not come again."""
    store.faults = [Fault.CUT, *[Fault.DROPPED] * 3]
    with pytest.raises(ServiceUnreachableError):
        client.download("x", to=target)
    [kept] = names(target)
    before = len(server.requests)

    connect().download("x", to=target)

    assert kept.startswith(".")
    assert target.read_bytes() == store.content
    assert ranges(server)[before:] == [None, f"bytes={HALF}-"]
    assert names(target) == [target.name]


def test_what_another_version_has_left_is_removed(
    client: RestClient, store: Store, target: Path
) -> None:
    """As soon as it can serve nobody any more."""
    store.faults = [Fault.CUT, *[Fault.DROPPED] * 3]
    with pytest.raises(ServiceUnreachableError):
        client.download("x", to=target)
    store.tag = '"2"'

    client.download("x", to=target)

    assert names(target) == [target.name]


def test_another_content_does_not_go_on(
    server: HttpsServer, client: RestClient, store: Store, target: Path
) -> None:
    """What was left is of use only to the same address in the same version."""
    store.faults = [Fault.CUT, *[Fault.DROPPED] * 3]
    with pytest.raises(ServiceUnreachableError):
        client.download("x", to=target)
    before = len(server.requests)

    client.download("y", to=target)

    assert ranges(server)[before:] == [None]
    assert target.read_bytes() == store.content


def test_two_downloads_at_once_do_not_mix(
    client: RestClient, connect: Connect, store: Store, target: Path
) -> None:
    """The second, begun in the middle of the first, has a file of its own."""

    def progress(done: int, _: int | None) -> None:
        if done == HALF:
            connect().download("x", to=target)
            assert target.read_bytes() == store.content

    store.faults = [Fault.CUT]
    client.download("x", to=target, progress=progress)

    assert target.read_bytes() == store.content
    assert names(target) == [target.name]


def test_a_part_that_was_published_meanwhile_is_left_alone(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opens a part at the moment in which it becomes the target does not write into it."""
    first = Partial(target, "x", '"1"')
    first.write(b"whole")
    lock = fcntl.flock

    def publish_before(*arguments: Any) -> None:  # noqa: ANN401 - as in fcntl
        monkeypatch.setattr(fcntl, "flock", lock)
        first.publish(target)
        first.close()
        lock(*arguments)

    monkeypatch.setattr(fcntl, "flock", publish_before)
    second = Partial(target, "x", '"1"')
    second.write(b"half")
    second.close()

    assert target.read_bytes() == b"whole"
    assert names(target) == [target.name]


def test_an_interrupted_download_keeps_what_came(
    server: HttpsServer, client: RestClient, store: Store, target: Path
) -> None:
    """Ctrl-C ends it at once, and the next call goes on."""

    def progress(done: int, _: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.download("x", to=target, progress=progress)
    client.download("x", to=target)

    assert ranges(server)[:2] == [None, None]
    assert int(str(ranges(server)[2])[6:-1]) > 0
    assert target.read_bytes() == store.content


def test_a_link_in_the_place_of_the_part_is_not_followed(
    client: RestClient, store: Store, target: Path
) -> None:
    """Who can write beside the target cannot make another file grow."""
    victim = target.with_name("victim")
    victim.write_bytes(b"mine")
    store.faults = [Fault.CUT, *[Fault.DROPPED] * 3]
    with pytest.raises(ServiceUnreachableError):
        client.download("x", to=target)
    [part] = target.parent.glob(".*.part")
    part.unlink()
    part.symlink_to(victim)

    with pytest.raises(OSError, match="symbolic link"):
        client.download("x", to=target)

    assert victim.read_bytes() == b"mine"


def test_a_missing_file_is_an_error(server: HttpsServer, client: RestClient, target: Path) -> None:
    """What the service says no to leaves nothing behind."""
    server.answer = in_turn(Response(status=404))

    with pytest.raises(ResourceNotFoundError):
        client.download("x", to=target)

    assert names(target) == []


def test_a_directory_is_no_target(server: HttpsServer, client: RestClient, target: Path) -> None:
    """It is refused before anything is fetched."""
    with pytest.raises(SettingsError, match="is a directory"):
        client.download("x", to=target.parent)

    assert server.requests == []
