"""Explain why no response came: aiohttp's exceptions, as the setting or variable to change.

aiohttp's own messages contain URLs and headers, so nothing of them is quoted.
"""

import errno
import os
import ssl
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.errors import Unreachable
from dlt_authsignal.source.http.proxy import Proxy
from dlt_authsignal.source.http.tls import issuer, speaks_tls

ADDRESS: Final = "base_url or region"
_EXPIRED, _NOT_YET, _OTHER_HOST, _OTHER_IP = 10, 9, 62, 64
"""OpenSSL's numbers of the faults of a certificate."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why no response came.

    Attributes:
        kind: Label under which the failure is counted.
        reason: What happened, after "from HOST:PORT:".
        advice: What to do, as sentences.
        may_pass: Whether a retry can help.
    """

    kind: str
    reason: str
    advice: str
    may_pass: bool = True


def unreachable(endpoint: Endpoint, base: URL, error: BaseException, proxy: Proxy | None) -> Unreachable:
    """Return the error of a request that got no response."""
    fault = explained(error, base, proxy)
    by = f" through the proxy {proxy.place}" if proxy else ""
    failure = Unreachable(
        f"Could not read {endpoint} from {base.host}:{base.port}{by}: {fault.reason}. Nothing was loaded."
        f" {fault.advice}",
        request=str(endpoint),
    )
    failure.kind = fault.kind
    failure.retryable = fault.may_pass
    return failure


def explained(error: BaseException, base: URL, proxy: Proxy | None = None) -> Fault:
    """Return what an exception of aiohttp, asyncio or the system means, and what to do."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _refused_by_proxy(error, proxy)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _untrusted(error.certificate_error, base, proxy)
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return _no_tls(base, proxy)
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        return Fault(kind="TLS", reason="it has another certificate than expected", advice=_check(), may_pass=False)
    if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientConnectorError):
        return _late(error)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return _no_proxy(proxy)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return _no_name(proxy)
    if isinstance(error, aiohttp.ClientConnectorError) and error.errno not in (errno.ECONNRESET, errno.EPIPE):
        return _not_connected(error, proxy)
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return Fault(kind="URL", reason="the address is not a URL", advice=f"Correct {ADDRESS}.", may_pass=False)
    if isinstance(error, aiohttp.ClientPayloadError):
        return Fault(
            kind="reset or truncated",
            reason="the response ended early or could not be decompressed",
            advice="Run again. If it happens each time, look for a proxy or firewall that changes responses.",
        )
    if isinstance(error, aiohttp.ClientResponseError):
        return _no_http(base, proxy)
    return _dropped(base, proxy)


def _check(proxy: Proxy | None = None) -> str:
    return f"Check {proxy.variable}." if proxy else f"Check the network, and {ADDRESS}, then run again."


def _refused_by_proxy(error: aiohttp.ClientHttpProxyError, proxy: Proxy | None) -> Fault:
    variable = proxy.variable if proxy else "the proxy"
    if error.status == 407:
        wrong = "refused the user name and password" if proxy and proxy.login else "requires a user name and a password"
        return Fault(
            kind="proxy",
            reason=f"the proxy {wrong} (407)",
            advice=f"Set {variable} to http://USER:PASSWORD@HOST:PORT; write @ : / of a password as %40 %3A %2F.",
            may_pass=False,
        )
    return Fault(
        kind="proxy",
        reason=f"the proxy did not open the connection ({error.status})",
        advice=f"Allow this host in the proxy, correct {variable}, or add the host to NO_PROXY.",
        may_pass=error.status >= 500,
    )


def _untrusted(error: Exception, base: URL, proxy: Proxy | None) -> Fault:
    code = getattr(error, "verify_code", 0)
    if code == _EXPIRED:
        reason, advice = "its certificate has expired", "Renew it, or check the clock of this machine."
    elif code == _NOT_YET:
        reason, advice = "its certificate is not valid yet", "Check the clock of this machine."
    elif code in (_OTHER_HOST, _OTHER_IP):
        reason = f"its certificate is for a host name other than {base.host}"
        advice = f"Correct {ADDRESS}. A proxy or a login page of the network may answer in its place."
    else:
        by = None if proxy else issuer(base.host or "", base.port or 443)
        reason = f"its certificate is not trusted{f' (issued by {by})' if by else ''}"
        advice = (
            "If a proxy of your company or a local server issued it, add its certificate: set SSL_CERT_FILE or"
            " REQUESTS_CA_BUNDLE to a PEM file that contains it."
        )
        if os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE"):
            advice += " The file that is set now does not contain the certificate of this issuer."
    return Fault(kind="TLS", reason=reason, advice=advice, may_pass=False)


def _no_tls(base: URL, proxy: Proxy | None) -> Fault:
    if proxy is None and not speaks_tls(base.host or "", base.port or 443):
        return Fault(
            kind="TLS",
            reason="it does not speak TLS",
            advice="If it is a local server, base_url begins with http://. Otherwise correct its port.",
            may_pass=False,
        )
    return Fault(
        kind="TLS",
        reason="the TLS handshake failed",
        advice=f"The server or a proxy may support only old TLS versions. {_check(proxy)}",
    )


def _late(error: BaseException) -> Fault:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Fault(kind="timeout", reason="no connection in time", advice=_check())
    return Fault(
        kind="timeout",
        reason="no response in time",
        advice=f"Raise timeout, or lower concurrency. {_check()}",
    )


def _no_proxy(proxy: Proxy | None) -> Fault:
    variable = proxy.variable if proxy else "the proxy"
    return Fault(
        kind="proxy", reason="the proxy does not answer", advice=f"Correct {variable}, or add the host to NO_PROXY."
    )


def _no_name(proxy: Proxy | None) -> Fault:
    if proxy:
        advice = f"Correct {proxy.variable}, or add the host to NO_PROXY."
        return Fault(kind="proxy", reason="the proxy's host name is unknown (DNS)", advice=advice)
    return Fault(
        kind="name not found",
        reason="its host name is unknown (DNS)",
        advice=f"Correct {ADDRESS}, or check the network's DNS.",
    )


def _not_connected(error: aiohttp.ClientConnectorError, proxy: Proxy | None) -> Fault:
    code = error.errno
    if code == errno.ECONNREFUSED:
        reason, advice = "connection refused", f"Nothing listens there. Correct {ADDRESS}, or start the server."
    elif code in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        reason, advice = "the network has no route to it", f"Check the network or VPN, and {ADDRESS}."
    elif code == errno.ETIMEDOUT:
        reason = "no connection in time"
        advice = f"A firewall may block it. If this network needs a proxy, set HTTPS_PROXY. Otherwise check {ADDRESS}."
    elif code in (errno.EACCES, errno.EPERM):
        reason, advice = "this machine does not allow the connection", "Allow it in the firewall of this machine."
    else:
        reason, advice = "no connection", _check(proxy)
    return Fault(kind="refused", reason=reason, advice=advice)


def _no_http(base: URL, proxy: Proxy | None) -> Fault:
    if found := _tls_on_plain(base, proxy):
        return found
    return Fault(
        kind="reset or truncated",
        reason="its response is not HTTP",
        advice=f"Another program may listen there. {_check(proxy)}",
    )


def _dropped(base: URL, proxy: Proxy | None) -> Fault:
    if found := _tls_on_plain(base, proxy):
        return found
    return Fault(
        kind="reset or truncated",
        reason="the connection was closed before a response came",
        advice=f"Run again. If it happens each time, look for a firewall that closes connections. {_check(proxy)}",
    )


def _tls_on_plain(base: URL, proxy: Proxy | None) -> Fault | None:
    """Return the fault of plain HTTP to a port that speaks TLS; None for others."""
    if base.scheme != "http" or proxy is not None or not speaks_tls(base.host or "", base.port or 80):
        return None
    return Fault(
        kind="TLS",
        reason="this port speaks TLS, and base_url begins with http://",
        advice="Write https:// in base_url.",
        may_pass=False,
    )
