"""Options of `heltig archives add` and `change`, and the form that they give.

Those of limits, hours and watching are made from `ArchiveOptions`: each of its fields is one.
"""

import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin

import click
import msgspec

from heltig.credentials import ClientProof
from heltig.errors import UsageError
from heltig.store.archives import ArchiveOptions

_FILES: Final = ("ca_bundle", "certificate", "key")
_ROOTS: Final = {"qido_url": "qidoUrl", "wado_url": "wadoUrl", "stow_url": "stowUrl", "feed_url": "feedUrl"}
_OAUTH: Final = {
    "token_url": "tokenUrl",
    "client_id": "clientId",
    "client_secret": "secret",
    "client_proof": "proof",
    "scope": "scope",
    "audience": "audience",
    "client_certificate": "certificate",
    "key_id": "keyId",
    "token_ca_bundle": "caBundle",
}

_ADDRESSES: Final = (
    click.option("--wado-url", metavar="URL", help="The root of its WADO-RS, where that is another one."),
    click.option("--stow-url", metavar="URL", help="The root of its STOW-RS."),
    click.option("--feed-url", metavar="URL", help="The root of its change feed, where that is elsewhere."),
    click.option("--title", metavar="TEXT", help="What people call it."),
)
_CREDENTIALS: Final = (
    click.option("--user", metavar="USER", help="For basic authentication."),
    click.option("--password-secret", metavar="REF", help="Where its password lies: env:NAME or file:PATH."),
    click.option("--bearer-secret", metavar="REF", help="Where a bearer token lies: env:NAME or file:PATH."),
    click.option("--token-url", metavar="URL", help="The OAuth 2.0 token endpoint that gives us tokens."),
    click.option("--client-id", metavar="ID", help="Our id there."),
    click.option(
        "--client-secret",
        metavar="REF",
        help="Where our secret there lies, or our private key: env:NAME or file:PATH.",
    ),
    click.option(
        "--client-proof",
        type=click.Choice(get_args(ClientProof)),
        help="How we prove ourselves there; client_secret_basic where nothing is said.",
    ),
    click.option("--scope", metavar="TEXT", help="The scope of our tokens."),
    click.option("--audience", metavar="TEXT", help="Whom our tokens are for, where that is asked."),
    click.option("--client-certificate", metavar="FILE", help="The certificate of our private key."),
    click.option("--key-id", metavar="ID", help="The id of our private key."),
    click.option("--token-ca-bundle", metavar="FILE", help="The only authorities to trust at that endpoint."),
)


def entry_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options that say how an archive is configured."""
    for option in reversed(
        [*_ADDRESSES, *_CREDENTIALS, *map(_option, msgspec.structs.fields(ArchiveOptions))]
    ):
        command = option(command)
    return command


def patch_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given on the command line, as a merge patch of an `ArchiveForm`.

    Raises:
        UsageError: Credentials of several kinds, or of half a kind, were given.
    """
    said = {name: value for name, value in given.items() if value not in (None, ())}
    patch: dict[str, Any] = {field: said[name] for name, field in _ROOTS.items() if name in said}
    if "title" in said:
        patch["title"] = said["title"]
    if auth := _auth(said):
        patch["auth"] = auth
    options = {
        field.encode_name: _whole(field.name, said[field.name])
        for field in msgspec.structs.fields(ArchiveOptions)
        if field.name in said
    }
    return {**patch, "options": options} if options else patch


def reset_choices() -> list[str]:
    """What can be given its default again."""
    options = (_flag(field.name) for field in msgspec.structs.fields(ArchiveOptions))
    return ["wado-url", "stow-url", "feed-url", "title", "auth", *options]


def reset_patch(names: tuple[str, ...]) -> dict[str, Any]:
    """A merge patch that gives fields their defaults."""
    fields = {_flag(field.name): field.encode_name for field in msgspec.structs.fields(ArchiveOptions)}
    roots = {_flag(name): field for name, field in _ROOTS.items()}
    patch: dict[str, Any] = {roots.get(name, name): None for name in names if name not in fields}
    if options := {fields[name]: None for name in names if name in fields}:
        patch["options"] = options
    return patch


def _auth(said: Mapping[str, Any]) -> dict[str, Any]:
    oauth = {field: said[name] for name, field in _OAUTH.items() if name in said}
    for field in ("certificate", "caBundle"):
        if field in oauth:
            oauth[field] = str(Path(oauth[field]).absolute())
    has_password = "user" in said or "password_secret" in said
    if bool(oauth) + has_password + ("bearer_secret" in said) > 1:
        raise UsageError("Give --user with --password-secret, --bearer-secret, or --token-url: one of them.")
    if oauth:
        return {"kind": "oauth2", **oauth}
    if "bearer_secret" in said:
        return {"kind": "bearer", "secret": said["bearer_secret"]}
    if not has_password:
        return {}
    if not ("user" in said and "password_secret" in said):
        raise UsageError("Give --user together with --password-secret.")
    return {"kind": "basic", "username": said["user"], "secret": said["password_secret"]}


def _whole(name: str, value: Any) -> Any:
    """A value as it is kept: wherever the service is started, a file is the same."""
    if name in _FILES or (name == "profile" and Path(value).is_file()):
        return str(Path(value).absolute())
    return list(value) if isinstance(value, tuple) else value


def _option(field: msgspec.structs.FieldInfo) -> Callable[[Any], Any]:
    kind, meta = get_args(field.type)[0], field.type.__metadata__[0]
    text = f"{meta.description.rstrip('.')}"
    default = field.default if field.default not in (None, ()) else None
    shown = "" if default is None else f"  [default: {default}]"
    is_list = get_origin(kind) is tuple
    return click.option(
        f"--{_flag(field.name)}",
        type=_type(kind),
        multiple=is_list,
        metavar="FILE" if field.name in _FILES else None,
        help=f"{text}.{' Give it several times for several.' if is_list else ''}{shown}",
    )


def _type(kind: Any) -> click.ParamType[Any]:
    names = [*_plain(kind)]
    if names and get_origin(names[0]) is Literal:
        return click.Choice(get_args(names[0]))
    return click.INT if int in names else click.FLOAT if float in names else click.STRING


def _plain(kind: Any) -> Iterator[Any]:
    """The types in an annotation, without None, `Annotated` and the like."""
    if get_origin(kind) in (types.UnionType, Union):
        for one in get_args(kind):
            yield from _plain(one)
    elif hasattr(kind, "__metadata__"):
        yield from _plain(kind.__origin__)
    elif kind is not type(None):
        yield kind


def _flag(name: str) -> str:
    return name.replace("_", "-")
