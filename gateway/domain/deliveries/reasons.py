"""The reasons of failed attempts: that of an answer, and advice for those that people can mend."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

PROTECTION: Final = "deployment_protection"
"""A login page before the app answered, not the app."""
_NONCE: Final = "_vercel_sso_nonce="
"""The cookie with which Vercel begins a login."""
_VERCEL_LOGIN: Final = ("/sso", "/login")
_ACCESS: Final = ".cloudflareaccess.com"
_PAGE: Final = ("vercel.com/sso-api", "<title>Authentication Required")
"""Parts of Vercel's answers: JSON for programs, HTML for browsers."""

ADVICE: Final = {
    PROTECTION: "a login page before the app answered. Vercel: make a secret in Settings → "
    "Deployment Protection → Protection Bypass for Automation, and send it as the header "
    "x-vercel-protection-bypass (`slipgate endpoints update ID --header "
    "x-vercel-protection-bypass=@FILE`) or in the query of callbackUrl "
    "(?x-vercel-protection-bypass=…). Cloudflare Access: the headers CF-Access-Client-Id and "
    "CF-Access-Client-Secret of a service token",
    "blocked": "its address is private: SLIPGATE_ALLOW_PRIVATE_ENDPOINTS=true on the gateway "
    "allows it, SLIPGATE_ALLOW_PRIVATE_ENDPOINTS=loopback only this machine",
    "dns": "its host name has no address: correct the url of the endpoint, or callbackUrl",
    "connect": "nothing listens at its address: start the receiver, or correct the url",
    "tls": "TLS failed: mend the receiver's certificate, or name its authority in SSL_CERT_FILE",
    "redirect": "redirects are never followed: give the final address as the url",
    "url": "its address is none: correct the url of the endpoint, or callbackUrl",
    "proxy": "SLIPGATE_EGRESS_PROXY refused or did not answer: correct it, or let it through",
    "sealed": "SLIPGATE_SECRET_KEYS lacks the master key that it was sealed with: add it again",
    "unreadable": "SLIPGATE_SECRET_KEYS lacks the master key that it was sealed with, or it is "
    "damaged: `slipgate verify` tells",
}
"""In the imperative, or a cause and the imperative; without a full stop."""


def refusal(status: int, headers: Mapping[str, str], answer: str) -> str | None:
    """The reason of an answer; None: it was taken. `headers` are found in any case."""
    if 200 <= status < 300:
        return None
    if _is_login(status, headers, answer):
        return PROTECTION
    if 300 <= status < 400:
        return "redirect"
    return "gone" if status == 410 else "status"


def _is_login(status: int, headers: Mapping[str, str], answer: str) -> bool:
    """True for the answers of Vercel's Deployment Protection and of Cloudflare Access."""
    if 300 <= status < 400:
        return _leads_to_login(headers.get("location", ""))
    if status != 401:
        return False
    is_vercel = headers.get("server", "").lower() == "vercel"
    is_page = is_vercel and any(part in answer for part in _PAGE)
    return is_page or _NONCE in headers.get("set-cookie", "")


def _leads_to_login(location: str) -> bool:
    try:
        url = urlsplit(location)
        host = url.hostname or ""
    except ValueError:
        return False
    is_vercel = host == "vercel.com" and url.path.startswith(_VERCEL_LOGIN)
    return is_vercel or host.endswith(_ACCESS)
