"""What a helper process may know: the environment without what looks like a secret."""

import re
from collections.abc import Mapping

_SECRET_NAME = re.compile(
    r"KEY|TOKEN|SECRET|PASS|PWD$|CREDENTIAL|AUTH|JWT|COOKIE|PRIVATE|^AWS_|^AZURE_|DATABASE_URL|DSN",
    re.IGNORECASE,
)
_PASSWORD_IN_URL = re.compile(r"://[^/\s]*:[^/\s]*@")
_HARMLESS = frozenset({"PWD", "OLDPWD"})

_NO_DEVICES = {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "-1"}


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return *environment* for a process that needs no secret and no GPU.

    A variable is left out when its name says that it holds a key, a token or a password, or when
    its value is a URL with a password. One too many does no harm here.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name in _HARMLESS or not (_SECRET_NAME.search(name) or _PASSWORD_IN_URL.search(value))
    }
    return kept | _NO_DEVICES
