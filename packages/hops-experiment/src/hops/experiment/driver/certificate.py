"""The certificate that a run makes for itself, for agents on other hosts to recognise it by.

Source:
    X.509: RFC 5280. Agents pin the certificate as a whole (`wire.trusting`), so it names nobody.
"""

import ssl

VALID_DAYS = 3650
"""Longer than any run. The driver keeps the key in its memory, and it is gone with it."""


def throw_away_certificate() -> tuple[ssl.SSLContext, str]:
    """Make a certificate with a key of its own.

    Returns:
        The TLS context of the driver, and the certificate as PEM.
    """
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hops run")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))  # other hosts have clocks of their own
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return _context(certificate + secret), certificate.decode()


def _context(chain: bytes) -> ssl.SSLContext:
    import tempfile

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # The standard library reads keys from files only: this one is the user's alone, for a moment.
    with tempfile.NamedTemporaryFile() as file:
        file.write(chain)
        file.flush()
        context.load_cert_chain(file.name)
    return context
