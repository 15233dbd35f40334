"""What tests of programs that talk to a service need: an authority, and a server with faults.

For your own tests, too. Nothing here is for production.
"""

from hops.core.testing.authority import Authority
from hops.core.testing.server import Fault, HttpsServer, Request, Response, in_turn

__all__ = ["Authority", "Fault", "HttpsServer", "Request", "Response", "in_turn"]
