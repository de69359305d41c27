"""An OpenID provider on loopback: the code flow with PKCE, tokens, keys that rotate, ways to misbehave."""

import hashlib
import hmac
import json
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote_plus, urlencode

from anyio.from_thread import start_blocking_portal
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from servers.httpd import Asked, Httpd, httpd
from servers.scripted import answer

CLIENT = "heltig"
SECRET = "client:secret/with+signs"
AUDIENCE = "https://heltig.example/api"


@dataclass
class OpenIDProvider:
    """A running one. `httpd` asks it for its answers.

    Attributes:
        clock: The time.
        issuer: Its issuer.
        person: The claims of whoever logs in.
        in_id_token: Claims put into ID tokens, or taken out of them where they are None.
        refusal: The error that it answers a login with.
        is_away: It answers nothing but 503.
        metadata: Other values in what it says of itself.
        published: The keys it publishes, where they are not its own.
        ahead: How far the Date of its answers is before its clock.
        asked: How often each path was asked for.
    """

    clock: Callable[[], datetime]
    issuer: str = ""
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "f3a1", "preferred_username": "anna"})
    in_id_token: dict[str, Any] = field(default_factory=dict)
    refusal: str = ""
    is_away: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    published: list[dict[str, Any]] | None = None
    ahead: timedelta = timedelta()
    asked: dict[str, int] = field(default_factory=dict)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _keys: list[RSAKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rotate()

    @property
    def key(self) -> RSAKey:
        """The key that it signs with."""
        return self._keys[-1]

    def rotate(self) -> None:
        """Signs with a new key, and publishes no older one."""
        kid = f"key-{len(self.asked)}-{secrets.token_hex(4)}"
        self._keys = [RSAKey.generate_key(2048, {"use": "sig", "kid": kid})]

    def token(
        self, *, typ: str = "at+jwt", alg: str = "RS256", key: Any = None, kid: str = "", **claims: Any
    ) -> str:
        """An access token for us, good for five minutes; claims that are None are left out."""
        now = int(self.clock().timestamp())
        whole = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "router-1",
            "client_id": "router",
            "iat": now,
            "exp": now + 300,
            "roles": ["heltig-archive"],
            **claims,
        }
        header = {"alg": alg, "kid": kid or self.key.kid, "typ": typ}
        return self._signed(header, whole, key or self.key, alg)

    def unsigned(self, **claims: Any) -> str:
        """The same with the algorithm `none`."""
        _, body, _ = self.token(**claims).split(".")
        header = json.dumps({"alg": "none", "kid": self.key.kid, "typ": "at+jwt"}).encode()
        return f"{urlsafe_b64encode(header).rstrip(b'=').decode()}.{body}."

    def signed_with_the_public_key(self) -> str:
        """The same, HS256, whose secret is what everybody can read at `/jwks`."""
        public = self.key.as_pem(private=False)
        body = self.token().split(".")[1]
        header = json.dumps({"alg": "HS256", "kid": self.key.kid, "typ": "at+jwt"}).encode()
        signing = f"{urlsafe_b64encode(header).rstrip(b'=').decode()}.{body}"
        tag = hmac.digest(public, signing.encode(), hashlib.sha256)
        return f"{signing}.{urlsafe_b64encode(tag).rstrip(b'=').decode()}"

    def logout_token(self, **claims: Any) -> str:
        """A logout token for our client."""
        events = {"http://schemas.openid.net/event/backchannel-logout": {}}
        return self.token(
            typ="logout+jwt",
            **{"aud": CLIENT, "events": events, "sub": None, "jti": secrets.token_hex(8), **claims},
        )

    def __call__(self, asked: Asked) -> bytes:
        """Answers a request."""
        self.asked[asked.path] = self.asked.get(asked.path, 0) + 1
        if self.is_away:
            return answer(b"", status=503)
        match asked.path:
            case "/.well-known/openid-configuration":
                return self._dated(
                    {
                        "issuer": self.issuer,
                        "authorization_endpoint": f"{self.issuer}/authorize",
                        "token_endpoint": f"{self.issuer}/token",
                        "jwks_uri": f"{self.issuer}/jwks",
                        "end_session_endpoint": f"{self.issuer}/end",
                        "authorization_response_iss_parameter_supported": True,
                        **self.metadata,
                    }
                )
            case "/jwks":
                own = [key.as_dict(private=False) for key in self._keys]
                return _json({"keys": own if self.published is None else self.published})
            case "/authorize":
                return self._authorize(asked.query)
            case "/token":
                return self._token(asked)
        return answer(b"", status=404)

    def _dated(self, value: object) -> bytes:
        date = format_datetime(self.clock() + self.ahead, usegmt=True)
        return _json(value, headers={"Date": date})

    def _authorize(self, query: dict[str, str]) -> bytes:
        """The person is logged in there, and says yes."""
        told = {"state": query["state"], "iss": self.issuer}
        if self.refusal:
            told |= {"error": self.refusal, "error_description": "<b>never shown</b>"}
        else:
            code = secrets.token_urlsafe(16)
            self._codes[code] = query
            told["code"] = code
        return answer(b"", status=302, headers={"Location": f"{query['redirect_uri']}?{urlencode(told)}"})

    def _token(self, asked: Asked) -> bytes:
        form = asked.form
        kind, _, packed = asked.headers.get("authorization", "").partition(" ")
        given = (
            [unquote_plus(part) for part in b64decode(packed).decode().split(":")] if kind == "Basic" else []
        )
        if "token_endpoint_auth_methods_supported" in self.metadata:
            given = [form.get("client_id", ""), form.get("client_secret", "")]
        if given != [CLIENT, SECRET]:
            return _json({"error": "invalid_client"}, status=401)
        query = self._codes.pop(form["code"], None)  # a code is good once
        if query is None or not _is_proven(form, query):
            return _json({"error": "invalid_grant"}, status=400)
        return _json({"id_token": self._id_token(query), "access_token": "opaque", "token_type": "Bearer"})

    def _id_token(self, query: dict[str, str]) -> str:
        now = int(self.clock().timestamp())
        claims = {
            "iss": self.issuer,
            "aud": query["client_id"],
            "iat": now,
            "exp": now + 300,
            "nonce": query["nonce"],
            "sid": "at-the-provider",
            "roles": ["heltig-readers"],
            **self.person,
            **self.in_id_token,
        }
        return self._signed({"alg": "RS256", "kid": self.key.kid, "typ": "JWT"}, claims, self.key, "RS256")

    @staticmethod
    def _signed(header: dict[str, Any], claims: dict[str, Any], key: RSAKey | OctKey, alg: str) -> str:
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(header, kept, key, algorithms=[alg], default_type=None)


def _is_proven(form: dict[str, str], query: dict[str, str]) -> bool:
    challenge = urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
    return (
        query["code_challenge_method"] == "S256"
        and challenge.decode() == query["code_challenge"]
        and form["redirect_uri"] == query["redirect_uri"]
    )


def _json(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> bytes:
    given = {"Content-Type": "application/json", **(headers or {})}
    return answer(json.dumps(value).encode(), status=status, headers=given)


@asynccontextmanager
async def openid_provider(clock: Callable[[], datetime]) -> AsyncIterator[tuple[OpenIDProvider, Httpd]]:
    """Runs a provider for as long as it is needed."""
    provider = OpenIDProvider(clock)
    async with httpd(provider) as server:
        provider.issuer = server.root
        yield provider, server


@contextmanager
def running_openid_provider(clock: Callable[[], datetime]) -> Iterator[OpenIDProvider]:
    """The same in a thread of its own, for a server in another process."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(openid_provider(clock)) as run:
        yield run[0]
