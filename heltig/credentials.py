"""How Heltig proves who it is to an archive. Secrets are references (`heltig.secret`), never the secret."""

from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

SecretReference: TypeAlias = Annotated[
    str, Meta(pattern="^(env|file):.+$", description="Where a secret lies: `env:NAME` or `file:PATH`.")
]
ClientProof: TypeAlias = Literal["client_secret_basic", "client_secret_post", "private_key_jwt"]
"""How a client proves itself to a token endpoint (OpenID Connect Core 9)."""


class NoAuth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="none"):
    """The archive asks nobody who they are, or our client certificate says it."""


class BasicAuth(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename="camel",
    tag_field="kind",
    tag="basic",
):
    """A name and a password with every request (RFC 7617)."""

    username: Annotated[str, Meta(pattern="^[^:]+$", description="The user, without a colon.")]
    secret: SecretReference


class BearerAuth(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename="camel",
    tag_field="kind",
    tag="bearer",
):
    """A token that somebody else obtains, with every request (RFC 6750)."""

    secret: SecretReference


class ClientCredentials(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename="camel",
    tag_field="kind",
    tag="oauth2",
):
    """Tokens that we obtain as a client (OAuth 2.0 client credentials grant, RFC 6749 4.4).

    Attributes:
        token_url: The token endpoint.
        client_id: Our id there.
        secret: The client secret; for `private_key_jwt` the PEM file of our private key.
        proof: How we prove ourselves to the token endpoint.
        scope: What to ask for, such as `https://dicom.healthcareapis.azure.com/.default`.
        audience: Whom the token is for, where the token endpoint wants to be told.
        certificate: For `private_key_jwt`: PEM file of the certificate by which the endpoint knows the key.
        key_id: For `private_key_jwt`: the id by which the endpoint knows the key.
        ca_bundle: PEM file of the only authorities to trust for the token endpoint; those that are trusted
            for the archive by default.
    """

    token_url: str
    client_id: Annotated[str, Meta(min_length=1)]
    secret: SecretReference
    proof: ClientProof = "client_secret_basic"
    scope: str = ""
    audience: str = ""
    certificate: str | None = None
    key_id: str | None = None
    ca_bundle: str | None = None

    def __post_init__(self) -> None:
        try:
            url = urlsplit(self.token_url)
        except ValueError:
            url = urlsplit("")
        if url.scheme not in ("http", "https") or not url.hostname or url.username or url.fragment:
            raise ValueError("tokenUrl: not an address. Give https://HOST/PATH, without user")
        if self.proof == "private_key_jwt" and not self.secret.startswith("file:"):
            raise ValueError("secret: the private key is a PEM file. Give file:PATH")
        if self.proof != "private_key_jwt" and (self.certificate or self.key_id):
            raise ValueError("proof: only private_key_jwt uses a certificate or a keyId")


ArchiveAuth: TypeAlias = NoAuth | BasicAuth | BearerAuth | ClientCredentials

NO_AUTH: Final = NoAuth()
