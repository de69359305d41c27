"""What settings must not be together."""

import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from heltig.setting_types import SIGNATURES, Peer, is_ae_title, is_loopback, is_safe_address, is_viewer_url

if TYPE_CHECKING:
    from heltig.settings import Settings

_LEAST_ANALYSIS_MEMORY: Final = 1024**3


def contradictions(settings: "Settings") -> Iterator[str]:
    """What of the settings does not go together, or cannot be so, each in a sentence with what to do."""
    yield from _listening_contradictions(settings)
    if settings.auth_mode in ("oidc", "hybrid"):
        yield from _identity_contradictions(settings)
    yield from _dicom_contradictions(settings)
    yield from _identifier_contradictions(settings)
    yield from _address_contradictions(settings)
    yield from _analysis_contradictions(settings)


def _listening_contradictions(settings: "Settings") -> Iterator[str]:
    if settings.auth_mode == "off" and not is_loopback(settings.host):
        yield (
            f"HELTIG_HOST: {settings.host} can be reached from other machines, and HELTIG_AUTH_MODE is off. "
            "Set HELTIG_AUTH_MODE=api-key, or oidc, or listen on 127.0.0.1."
        )
    consult = settings.consult_bind
    if consult and not is_loopback(consult.host) and not settings.consult_allow:
        yield (
            f"HELTIG_CONSULT_BIND: {consult.host} can be reached from other machines. "
            "Name those that may ask in HELTIG_CONSULT_ALLOW, or listen on 127.0.0.1."
        )
    listed = (("CONSULT_ALLOW", settings.consult_allow), ("TRUSTED_PROXIES", settings.trusted_proxies))
    for name, networks in listed:
        for network in networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as wrong:
                yield f"HELTIG_{name}: {wrong}. Give addresses or networks such as 10.4.0.0/16."


def _address_contradictions(settings: "Settings") -> Iterator[str]:
    for origin in settings.cors_origins:
        if not re.fullmatch(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?", origin):
            yield (
                f"HELTIG_CORS_ORIGINS: {origin} is no origin. Give scheme, host and, where it is not the "
                "usual one, port, as browsers send them: https://viewer.example. There is no wildcard."
            )
    if settings.public_url and not re.fullmatch(r"https?://[^/?#@\\\s]+(/[^?#\\\s]*)?", settings.public_url):
        yield "HELTIG_PUBLIC_URL: not an address for links. Give https://HOST or https://HOST/PATH."
    if settings.viewer_url and not is_viewer_url(settings.viewer_url):
        yield (
            "HELTIG_VIEWER_URL: not an address that shows a study. Give http://… or https://… with {study} "
            "behind the host, such as https://viewer.example/viewer?StudyInstanceUIDs={study}."
        )
    if settings.database_url:
        scheme = settings.database_url.secret.partition(":")[0]
        if scheme not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
            yield (
                f"HELTIG_DATABASE_URL: {scheme}: is not supported. "
                "Give postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE or sqlite+aiosqlite:///PATH."
            )
    for name, proxy in (("ARCHIVE", settings.archive_proxy), ("OIDC", settings.oidc_proxy)):
        if proxy and not proxy.secret.startswith(("http://", "https://")):
            yield f"HELTIG_{name}_PROXY: not an HTTP proxy. Give http://HOST:PORT."
    if settings.redis_url and not settings.redis_url.secret.startswith(("redis://", "rediss://", "unix://")):
        yield "HELTIG_REDIS_URL: not a Redis. Give redis://HOST:PORT/0, rediss://… or unix://PATH."


def _analysis_contradictions(settings: "Settings") -> Iterator[str]:
    if settings.analysis_memory < _LEAST_ANALYSIS_MEMORY:
        yield "HELTIG_ANALYSIS_MEMORY: too little: analyses would never end. Give 1 GiB or more."
    if settings.analysis_allow_identified and settings.identifiers == "hashed":
        yield (
            "HELTIG_ANALYSIS_ALLOW_IDENTIFIED: files of analyses would say whose they are, where "
            "HELTIG_IDENTIFIERS=hashed keeps identifiers nowhere in plain text. Set one of them only."
        )
    if settings.analysis_enabled and settings.analysis_use != "research-only":
        yield (
            "HELTIG_ANALYSIS_ENABLED: analyses are for research use only. No medical device, not for "
            "diagnosis, triage, treatment or clinical decisions. Acknowledge it by "
            "HELTIG_ANALYSIS_USE=research-only."
        )


_GUESSERS = ("reviewer", "qa_operator")
"""Who gives waivers for what was observed, and who uploads studies and adds archives."""


def _identifier_contradictions(settings: "Settings") -> Iterator[str]:
    shown_to = settings.identifiers_shown_to
    if settings.identifiers == "plain" and shown_to:
        yield (
            "HELTIG_IDENTIFIERS_SHOWN_TO: without HELTIG_IDENTIFIERS=masked, or hashed, everybody who sees "
            "studies sees whose they are. Set one of them, or leave this away."
        )
    unseeing = [role for role in _GUESSERS if shown_to and role not in shown_to]
    if settings.identifiers == "masked" and unseeing:
        yield (
            f"HELTIG_IDENTIFIERS_SHOWN_TO: {' and '.join(unseeing)} can try out what is masked, by studies "
            "that they bring in or waivers that they give. Name reviewer and qa_operator, too, and give "
            "people who are not to see identifiers the role reader."
        )
    if settings.identifiers != "hashed" and settings.identifier_key:
        yield (
            f"HELTIG_IDENTIFIER_KEY: HELTIG_IDENTIFIERS={settings.identifiers} hashes nothing. Set "
            "HELTIG_IDENTIFIERS=hashed, or leave this away."
        )
    if (
        settings.identifiers == "masked"
        and settings.auth_mode == "off"
        and (not shown_to or "admin" in shown_to)
    ):
        yield (
            "HELTIG_IDENTIFIERS: masked hides nothing while HELTIG_AUTH_MODE is off: everybody is an admin, "
            "who sees identifiers. Set HELTIG_AUTH_MODE."
        )


def _identity_contradictions(settings: "Settings") -> Iterator[str]:
    given = f"HELTIG_AUTH_MODE={settings.auth_mode}"
    if not is_safe_address(settings.oidc_issuer or ""):
        yield (
            f"HELTIG_OIDC_ISSUER: {given} needs the provider's issuer, https://… as its tokens have it "
            "(http:// on this machine only)."
        )
    if not settings.oidc_client_id and not settings.oidc_audience:
        yield (
            f"HELTIG_OIDC_CLIENT_ID: {given} needs a client by which people log in, an audience for the "
            "tokens of programs (HELTIG_OIDC_AUDIENCE), or both."
        )
    if not settings.oidc_roles:
        yield (
            f"HELTIG_OIDC_ROLES: {given} needs to know who has which role, such as heltig-readers=reader. "
            "Nobody could do anything."
        )
    if settings.oidc_client_id and not is_safe_address(settings.public_url or ""):
        yield (
            f"HELTIG_PUBLIC_URL: {given} needs the address that people reach us at, https://HOST "
            "(http:// on this machine only): the provider sends them back there."
        )
    if "openid" not in settings.oidc_scopes:
        yield "HELTIG_OIDC_SCOPES: without openid the provider does not say who somebody is."
    for algorithm in settings.oidc_algorithms:
        if algorithm not in SIGNATURES:
            yield (
                f"HELTIG_OIDC_ALGORITHMS: {algorithm} is none that a token may be signed with. "
                f"Choose among {', '.join(SIGNATURES)}."
            )
    if not settings.oidc_algorithms:
        yield "HELTIG_OIDC_ALGORITHMS: name at least one, such as RS256."


def _dicom_contradictions(settings: "Settings") -> Iterator[str]:
    if not is_ae_title(settings.ae_title):
        yield "HELTIG_AE_TITLE: not an AE title. Give up to 16 letters, digits and the like."
    for peer in settings.dicom_peers:
        try:
            Peer.parse(peer)
        except ValueError as wrong:
            yield f"HELTIG_DICOM_PEERS: {wrong}."
    if not is_loopback(settings.dicom_host) and not settings.dicom_peers:
        yield (
            f"HELTIG_DICOM_HOST: {settings.dicom_host} can be reached from other machines. "
            "Name those that may send in HELTIG_DICOM_PEERS, or listen on 127.0.0.1."
        )
    if (settings.dicom_key or settings.dicom_client_ca) and not settings.dicom_certificate:
        yield "HELTIG_DICOM_CERTIFICATE: TLS needs a certificate. Name its file."
