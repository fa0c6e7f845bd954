"""The certificate that a server shows: of a proxy that ends TLS before us, for example."""

import asyncio
import ssl

from cryptography import x509

_SECONDS = 10.0


async def expiry_of(host: str, port: int) -> float:
    """When the certificate of a server ends, in seconds since 1970.

    It is asked for by ``host``, as its callers do. Whether it is trusted, or over already, is not
    looked at: its end is told in any case.

    Raises:
        OSError: the server cannot be reached, comes to no handshake within ten seconds, or shows
            what is no certificate.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(
                host, port, ssl=_ANY, server_hostname=host, ssl_shutdown_timeout=_SECONDS
            )
    except TimeoutError:
        raise TimeoutError(f"no TLS handshake within {_SECONDS:g} s") from None
    except UnicodeError:  # a name with a part of over 63 characters
        raise OSError("no name that a server can have") from None
    try:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(shown).not_valid_after_utc.timestamp()
    except (ValueError, x509.InvalidVersion) as error:
        raise OSError(f"its certificate cannot be read: {error}") from error
    finally:
        writer.transport.abort()  # nothing was said that would have to arrive


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


_ANY = _context()
"""Takes any certificate; nothing but the handshake is ever said over it."""
