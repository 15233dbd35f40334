"""Calls to a REST interface: time limits, repetition where it does no harm, errors with a type.

::

    with RestClient(f"{endpoint}/hopsworks-api/api", ApiKey(key)) as client:
        topics = list(client.items("project", 119, "kafka", "topics"))

The client is for the other hops packages; its errors are for everybody.
"""

from hops.core.rest.client import Query, RestClient
from hops.core.rest.credential import ApiKey, Credential, TokenFile, find_credential
from hops.core.rest.download import Progress
from hops.core.rest.limits import Limits
from hops.core.rest.session import AnswerCutError
from hops.core.rest.trust import Trust

__all__ = [
    "AnswerCutError",
    "ApiKey",
    "Credential",
    "Limits",
    "Progress",
    "Query",
    "RestClient",
    "TokenFile",
    "Trust",
    "find_credential",
]
