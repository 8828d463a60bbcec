"""What a service allows: sizes, time, queue, who may ask. No web framework is needed to read this."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from carabin.errors import CarabinError

TOKEN_VARIABLE = "CARABIN_TOKEN"
SHORTEST_TOKEN = 16
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
"""This machine, as a `Host` header names it."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1


class ServeError(CarabinError):
    """A service that cannot be started as asked."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """What a service allows."""

    queue: int = 32
    """Requests that may wait behind the one being annotated; one more is answered 429."""
    timeout_seconds: float = 30.0
    """From the first byte of a request's body to its answer."""
    max_body_bytes: int = 4_000_000
    max_documents: int = 256
    """In one request."""
    max_characters: int = 300_000
    """In one document, in code points: a hundred pages, which two cores read well within the time allowed."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Least score of an entity, by label, where a request names none; `*` stands for every label not named."""
    calibrated: bool = False
    """Where a request names no threshold, hold the fitted ones too; `thresholds` wins over them."""
    token: str | None = field(default=None, repr=False)
    """What `Authorization: Bearer` must hold; None lets anyone ask."""
    hosts: tuple[str, ...] = LOOPBACK_HOSTS
    """Names in a request's `Host` header; `*` takes any. A page elsewhere whose name was pointed at this machine (DNS
    rebinding) sends its own name, and is refused."""
    access_log: bool = True
    """Log a line a request: who, method, path of the API, status, milliseconds."""

    def __post_init__(self) -> None:
        """Raise ServeError for what cannot work."""
        for name in ("queue", "max_body_bytes", "max_documents", "max_characters"):
            if getattr(self, name) < 1:
                raise ServeError(f"{name} = {getattr(self, name)}: must be at least 1")
        if not 0 < self.timeout_seconds < float("inf"):
            raise ServeError(f"timeout_seconds = {self.timeout_seconds}: must be a positive number")
        if self.token is not None:
            check_token(self.token, "token")
        if not self.hosts:
            raise ServeError("hosts is empty: nobody could ask; name hosts, or '*' for any")


def read_token(path: Path | None) -> str | None:
    """Return the token in a file, else in the environment, else None.

    A token is never an option: any user of the machine can read another's command line.

    Raises:
        ServeError: the file cannot be read, or the token is too short or holds what no header can.
    """
    if path is None:
        token = os.environ.get(TOKEN_VARIABLE)
        return None if token is None else check_token(token.strip(), TOKEN_VARIABLE)
    try:
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ServeError(f"{path}: {error.strerror}; write the token on one line of that file") from None
    except UnicodeDecodeError:
        raise ServeError(f"{path}: not text; write the token on one line of that file") from None
    return check_token(token, str(path))


def check_token(token: str, where: str) -> str:
    """Return the token. Raises ServeError: it can be guessed, or no `Authorization` header can carry it."""
    way_out = "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
    if len(token) < SHORTEST_TOKEN:
        raise ServeError(f"{where}: a token of {len(token)} characters can be guessed; {way_out}")
    if not _TOKEN.fullmatch(token):
        raise ServeError(f"{where}: a token holds letters, digits and -._~+/ only; {way_out}")
    return token


def resolve_address(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    """Return the family and the address that a host's name stands for. Raises ServeError: it stands for none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ServeError(f"{host}: no such address on this machine; 127.0.0.1 is this machine alone") from None
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, str(address[0])


def is_loopback(address: str) -> bool:
    """Return whether only this machine reaches an IP address."""
    return ip_address(address.partition("%")[0]).is_loopback


def check_exposure(host: str, address: str, token: str | None, no_token: bool) -> None:
    """Raise ServeError if other machines could ask without a token and nobody said that they may."""
    if is_loopback(address) or token is not None or no_token:
        return
    raise ServeError(
        f"{host} can be reached from other machines: give them a token (--token-file FILE, or {TOKEN_VARIABLE}), "
        "or let anyone ask with --no-token"
    )
