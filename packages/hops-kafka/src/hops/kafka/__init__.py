"""TLS-secured Kafka clients, topics and Avro schemas.

There is nothing to call yet.
"""

__all__: list[str] = []
