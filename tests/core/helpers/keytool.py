"""Key stores made by the keytool of a real Java."""

import subprocess
from itertools import product
from pathlib import Path
from typing import NamedTuple

from authority import Authority
from hops.core.java import find_java_home

PASSWORD = "store-secret"
KEY_PASSWORD = "key-secret"
ALGORITHMS = ("RSA", "EC")
KINDS = ("PKCS12", "JKS", "JCEKS", "JKS-two", "JCEKS-two")
"""Format, and whether the key has a password of its own."""


class Store(NamedTuple):
    """One key store: a key `me` with its chain, and the trusted authority unless it is `-two`."""

    file: Path
    key_password: str | None

    @property
    def data(self) -> bytes:
        """Its content."""
        return self.file.read_bytes()

    @property
    def format(self) -> str:
        """As keytool calls it."""
        return self.file.name.split("-")[1]


def keytool(*arguments: str | Path, given: str = "") -> bytes:
    """Run keytool, which prints to the standard output only what was asked for."""
    program = find_java_home() / "bin" / "keytool"
    command = [program, "-J-XX:TieredStopAtLevel=1", *arguments]
    done = subprocess.run(command, input=given.encode(), capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr).decode())
    return done.stdout


def make_stores(folder: Path, authority: Authority) -> dict[tuple[str, str], Store]:
    """Let keytool make a key of each algorithm, and put it into a store of each kind."""
    for algorithm in ALGORITHMS:
        _make_first(folder / f"{algorithm}-PKCS12", algorithm, authority)
    return {
        (algorithm, kind): _make_other(folder, algorithm, kind)
        for algorithm, kind in product(ALGORITHMS, KINDS)
    }


def _make_first(file: Path, algorithm: str, authority: Authority) -> None:
    """Make a key, have it certified, and trust the authority."""
    store = ("-keystore", file, "-storepass", PASSWORD)
    kind = ("-storetype", "PKCS12", "-keyalg", algorithm)
    keytool("-genkeypair", "-alias", "me", *kind, "-dname", "CN=demo__ada", *store)
    request = keytool("-certreq", "-alias", "me", *store)
    keytool("-importcert", "-noprompt", "-alias", "ca", *store, given=authority.pem)
    reply = authority.sign(request) + authority.pem
    keytool("-importcert", "-noprompt", "-alias", "me", *store, given=reply)


def _make_other(folder: Path, algorithm: str, kind: str) -> Store:
    """Let keytool convert the first one."""
    file = folder / f"{algorithm}-{kind}"
    name, _, two = kind.partition("-")
    key_password = KEY_PASSWORD if two else None
    if kind != "PKCS12":
        source = ("-srckeystore", folder / f"{algorithm}-PKCS12", "-srcstorepass", PASSWORD)
        target = ("-destkeystore", file, "-deststoretype", name, "-deststorepass", PASSWORD)
        own = ("-srcalias", "me", "-destkeypass", KEY_PASSWORD) if two else ()
        keytool("-importkeystore", "-noprompt", *source, *target, *own)
    return Store(file, key_password)
