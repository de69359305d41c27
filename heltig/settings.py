"""Every setting of Heltig, typed and documented. `heltig.setting_sources` reads them."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from heltig.errors import ConfigurationError
from heltig.setting_conflicts import contradictions
from heltig.setting_types import Address, Days, SecretUrl, Size


def default_home() -> Path:
    """The folder of the current user for an application's data, on Windows and by the XDG rules elsewhere."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    else:
        base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "heltig"


def default_workers() -> int:
    """As many processes as there are cores, four at most: judging waits for input before that."""
    return min(os.cpu_count() or 1, 4)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a site can set. `load_settings` reads it; each field's Meta is its documentation.

    Raises:
        ConfigurationError: The settings contradict one another, or ask for what this version does not have.
    """

    home: Annotated[
        Path,
        Meta(
            description="Folder of the embedded database, the spool and the secrets.",
            extra={"default": "`heltig` in the user's data folder (`$XDG_DATA_HOME`, `%LOCALAPPDATA%`)"},
        ),
    ] = msgspec.field(default_factory=default_home)
    host: Annotated[
        str,
        Meta(description="Address to listen on. Any other than loopback needs `HELTIG_AUTH_MODE`."),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 8042
    public_url: Annotated[
        str | None,
        Meta(description="Root of the links that we hand out, where a proxy stands before us."),
    ] = None
    viewer_url: Annotated[
        str | None,
        Meta(
            description="Where a viewer shows a study: an `http` or `https` address with `{study}` in it, "
            "which stands for the StudyInstanceUID, such as "
            "`https://viewer.example/viewer?StudyInstanceUIDs={study}`. The page of a study links to it."
        ),
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses and networks of the proxies before us, such as `127.0.0.1,10.4.0.0/16`: "
            "what they say of who asks is believed (`X-Forwarded-For`, `-Proto`, `-Host`, or `Forwarded`). "
            "Of nobody else's connections."
        ),
    ] = ()
    auth_mode: Annotated[
        Literal["off", "api-key", "oidc", "hybrid"],
        Meta(
            description="Who may use the service: everyone on this machine (`off`; loopback only), whoever "
            "has a key (`api-key`), whoever an OpenID provider knows (`oidc`), or both (`hybrid`)."
        ),
    ] = "off"
    oidc_issuer: Annotated[
        str | None,
        Meta(
            description="The OpenID provider: its issuer as its tokens and its "
            "`.well-known/openid-configuration` have it, to the letter."
        ),
    ] = None
    oidc_client_id: Annotated[
        str | None,
        Meta(description="Our client at the provider, by which people log in. Without it only programs do."),
    ] = None
    oidc_client_secret: Annotated[
        Annotated[str, Meta(pattern="^(env|file):.+$")] | None,
        Meta(
            description="Where that client's secret lies: `env:HELTIG_SECRET_NAME` or `file:PATH`. "
            "A public client has none."
        ),
    ] = None
    oidc_scopes: Annotated[
        tuple[str, ...], Meta(description="What is asked for at a login; `openid` has to be among it.")
    ] = ("openid", "profile")
    oidc_audience: Annotated[
        tuple[str, ...],
        Meta(
            description="The audience that access tokens of programs have to be for; several where any of "
            "them will do. Without it access tokens are not taken."
        ),
    ] = ()
    oidc_algorithms: Annotated[
        tuple[str, ...], Meta(description="The algorithms that tokens may be signed with (RFC 7518 3.1).")
    ] = ("RS256", "PS256", "ES256")
    oidc_role_claim: Annotated[
        str,
        Meta(description="The claim that roles come of, such as `groups` or `realm_access.roles`."),
    ] = "roles"
    oidc_roles: Annotated[
        tuple[str, ...],
        Meta(
            description="Which value of that claim gives which role, such as "
            "`heltig-readers=reader,pacs-team=qa_operator`. Other values give none."
        ),
    ] = ()
    oidc_name_claim: Annotated[
        str,
        Meta(
            description="The claim by which somebody is named on pages and in the audit trail: one that "
            "people cannot change themselves. `sub` where a token does not have it."
        ),
    ] = "preferred_username"
    oidc_ca_bundle: Annotated[
        Path | None,
        Meta(description="PEM file of the only authorities to trust at the provider."),
    ] = None
    oidc_proxy: Annotated[SecretUrl | None, Meta(description="HTTP proxy between us and the provider.")] = (
        None
    )
    session_idle_seconds: Annotated[
        float,
        Meta(ge=120, le=604_800, description="A session on the pages ends when nothing is done for so long."),
    ] = 1800.0
    session_hours: Annotated[
        float,
        Meta(
            gt=0,
            le=168,
            description="A session ends so long after its login, whatever is done: so late a role that was "
            "taken away at the provider may still be good.",
        ),
    ] = 10.0
    limit_logins: Annotated[
        int, Meta(ge=0, description="Steps of logins from one address in a minute; 0 for any number.")
    ] = 300
    limit_refused: Annotated[
        int,
        Meta(
            ge=0,
            description="API keys and tokens that are refused from one address in a minute; then none is "
            "looked at but those that were good meanwhile. 0 for any number.",
        ),
    ] = 60
    limit_changes: Annotated[
        int,
        Meta(
            ge=0,
            description="Requests of one principal in a minute that change something; what comes to a gate "
            "and the pieces of uploads are not counted. 0 for any number.",
        ),
    ] = 1200
    consult_bind: Annotated[
        Address | None,
        Meta(
            description="A second listener with only `/consult`, for archives that cannot authenticate. "
            "Any other address than loopback needs `HELTIG_CONSULT_ALLOW`."
        ),
    ] = None
    consult_allow: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses and networks that may use that listener, such as `10.1.2.3,10.4.0.0/16`."
        ),
    ] = ()
    cors_origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Origins whose pages may read answers in a browser, such as "
            "`https://viewer.example`; there is no wildcard."
        ),
    ] = ()
    database_url: Annotated[
        SecretUrl | None,
        Meta(
            description="The database: `postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE`, which workers on "
            "any number of hosts share (each process opens at most 10 connections), or "
            "`sqlite+aiosqlite:///PATH`, for the processes of one host.",
            extra={"default": "SQLite, `heltig.db` in `HELTIG_HOME`"},
        ),
    ] = None
    redis_url: Annotated[
        SecretUrl | None,
        Meta(
            description="Redis that wakes workers when there is work: "
            "`redis://[USER:PASSWORD@]HOST[:PORT]/0`, `rediss://…` (TLS) or `unix://PATH`. It holds nothing "
            "that matters, and may be emptied or away. Without it workers look for work every five seconds."
        ),
    ] = None
    profile: Annotated[
        str,
        Meta(
            description="What studies are judged with, where `--profile` does not say otherwise: a shipped "
            "profile (`heltig rules profiles` lists them) or the path of a TOML file."
        ),
    ] = "default"
    workers: Annotated[
        int,
        Meta(
            ge=1,
            description="Processes that judge studies.",
            extra={"default": "the number of cores, 4 at most"},
        ),
    ] = msgspec.field(default_factory=default_workers)
    queue_most: Annotated[
        int,
        Meta(
            ge=1,
            description="Studies of watched archives that may be queued to be pulled; others that are due "
            "wait, and archives are listed less often.",
        ),
    ] = 2000
    upload_max_size: Annotated[Size, Meta(description="An uploaded ZIP as it was sent.")] = Size(4 * 1024**3)
    upload_max_unpacked: Annotated[Size, Meta(description="All members of a ZIP together, unpacked.")] = Size(
        32 * 1024**3
    )
    upload_max_members: Annotated[int, Meta(ge=1, description="Members of a ZIP.")] = 200_000
    upload_max_ratio: Annotated[
        int, Meta(ge=1, description="Unpacked to packed size of a large ZIP member. A bomb has over 1000.")
    ] = 200
    upload_max_nesting: Annotated[int, Meta(ge=0, description="Levels of ZIPs inside a ZIP.")] = 2
    upload_open_most: Annotated[
        int, Meta(ge=1, description="Uploads that may be open at the same time: begun, and not whole yet.")
    ] = 100
    upload_open_size: Annotated[
        Size, Meta(description="All open uploads together, as long as they are to become.")
    ] = Size(64 * 1024**3)
    upload_open_most_each: Annotated[int, Meta(ge=1, description="Open uploads of one principal.")] = 20
    upload_open_size_each: Annotated[
        Size, Meta(description="Open uploads of one principal together, as long as they are to become.")
    ] = Size(32 * 1024**3)
    member_max_size: Annotated[
        Size, Meta(description="One file, one ZIP member or one part of a multipart body.")
    ] = Size(2 * 1024**3)
    metadata_max_size: Annotated[
        Size, Meta(description="One metadata answer of an archive, decompressed.")
    ] = Size(256 * 1024**2)
    gate_max_size: Annotated[Size, Meta(description="One request that brings objects to a gate.")] = Size(
        64 * 1024**3
    )
    gate_max_parts: Annotated[int, Meta(ge=1, description="Objects of such a request.")] = 50_000
    gate_read_seconds: Annotated[
        float, Meta(gt=0, description="How long a sender may stay silent in the middle of such a request.")
    ] = 30.0
    gate_reserve: Annotated[
        Size,
        Meta(description="Room on the disk of `HELTIG_HOME` below which gates take nothing (503)."),
    ] = Size(1024**3)
    ae_title: Annotated[
        str,
        Meta(description="AE title of `heltig listen`, and of us where we send to an archive by C-STORE."),
    ] = "HELTIG"
    dicom_host: Annotated[
        str,
        Meta(description="Address that it listens on. Any other than loopback needs `HELTIG_DICOM_PEERS`."),
    ] = "127.0.0.1"
    dicom_port: Annotated[
        int, Meta(ge=0, le=65535, description="Port that it listens on; 0 takes a free one.")
    ] = 11112
    dicom_peers: Annotated[
        tuple[str, ...],
        Meta(
            description="Who may send to it: AE titles at addresses or networks, such as "
            "`CT1@10.1.2.3,*@10.4.0.0/16`. With a port (`CT1@10.1.2.3:104`) storage commitment results go "
            "there. Everybody on this machine where there is nothing."
        ),
    ] = ()
    dicom_certificate: Annotated[
        Path | None,
        Meta(description="PEM file of its certificate, with its chain: it speaks TLS only, then."),
    ] = None
    dicom_key: Annotated[
        Path | None,
        Meta(description="PEM file of its key, where the certificate's file does not hold it."),
    ] = None
    dicom_client_ca: Annotated[
        Path | None,
        Meta(description="PEM file of the authorities that a sender's certificate has to be of."),
    ] = None
    dicom_associations: Annotated[
        int, Meta(ge=1, le=1000, description="Associations at the same time; more are rejected.")
    ] = 25
    idle_seconds: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(
            description="A study that `heltig listen` takes is at rest when nothing of it came for so long.",
            extra={"default": "`gateIdleSeconds` of the archive; 30"},
        ),
    ] = None
    upload_url: Annotated[
        str | None,
        Meta(description="The server that `heltig upload` and `heltig listen --server` send studies to."),
    ] = None
    upload_key: Annotated[
        Annotated[str, Meta(pattern="^(env|file):.+$")] | None,
        Meta(description="Where an API key for that server lies: `env:HELTIG_SECRET_NAME` or `file:PATH`."),
    ] = None
    keep_uploads: Annotated[
        Days,
        Meta(
            description="Days that an upload is kept with its studies and their verdicts; not while one of "
            "them is under review. docs/retention.md says what is never purged."
        ),
    ] = Days(365)
    keep_gate: Annotated[
        Days,
        Meta(description="Days that what a gate knows of a study is kept once all of it was handed on."),
    ] = Days(0)
    keep_withdrawn: Annotated[
        Days, Meta(description="Days that a study is kept that is gone from its archive, with its verdicts.")
    ] = Days(365)
    keep_verdicts: Annotated[
        Days, Meta(description="Days that a verdict is kept after another one superseded it.")
    ] = Days(730)
    keep_snapshots: Annotated[
        Days, Meta(description="Days that a study's evidence is kept after other evidence superseded it.")
    ] = Days(90)
    keep_changes: Annotated[
        Days,
        Meta(
            description="Days that entries of the change feed are kept; followers have to read them by then."
        ),
    ] = Days(0)
    keep_reports: Annotated[Days, Meta(description="Days that backfills are kept with their reports.")] = (
        Days(365)
    )
    keep_jobs: Annotated[
        Days, Meta(description="Days that jobs are kept that succeeded or were cancelled.")
    ] = Days(30)
    keep_failed_jobs: Annotated[Days, Meta(description="Days that jobs are kept that ended badly.")] = Days(
        365
    )
    keep_deliveries: Annotated[
        Days, Meta(description="Days that deliveries to webhooks are kept once they were made or given up.")
    ] = Days(30)
    keep_staging: Annotated[
        Days, Meta(description="Days that an upload is kept that was begun and to which nothing came since.")
    ] = Days(1)
    keep_audit: Annotated[
        Days,
        Meta(
            description="Days that the audit trail is kept; a signed checkpoint takes the place of the rest."
        ),
    ] = Days(0)
    keep_analyses: Annotated[
        Days,
        Meta(
            description="Days that an analysis is kept with its files; its study goes with it or before it."
        ),
    ] = Days(90)
    alert_disk: Annotated[
        Size,
        Meta(description="Room on the disk of `HELTIG_HOME` or of the spool below which there is an alert."),
    ] = Size(5 * 1024**3)
    alert_quarantine_hours: Annotated[
        float,
        Meta(ge=0, le=8784, description="How long a study may wait in quarantine until there is an alert."),
    ] = 1.0
    identifiers: Annotated[
        Literal["plain", "masked", "hashed"],
        Meta(
            description="How patients' identifiers are kept and shown: as they are, to all who see studies "
            "(`plain`); as they are, to some roles alone (`masked`); as keyed hashes, to nobody (`hashed`). "
            "docs/identifiers.md says what that means, and how a database is changed."
        ),
    ] = "plain"
    identifiers_shown_to: Annotated[
        tuple[str, ...],
        Meta(
            description="The roles that see identifiers where they are `masked`, and search by them where "
            "they are `masked` or `hashed`.",
            extra={"default": "`reviewer,qa_operator,admin`"},
        ),
    ] = ()
    identifier_key: Annotated[
        Annotated[str, Meta(pattern="^(env|file):.+$")] | None,
        Meta(
            description="Where the key lies that identifiers are `hashed` with: `env:HELTIG_SECRET_NAME` or "
            "`file:PATH`, 64 hex digits (`openssl rand -hex 32`). All servers of a database need the same.",
            extra={"default": "the file `secrets/identifier-key` in `HELTIG_HOME`, made when it is needed"},
        ),
    ] = None
    audit_key: Annotated[
        Annotated[str, Meta(pattern="^(env|file):.+$")] | None,
        Meta(
            description="Where the key of the audit trail lies: `env:HELTIG_SECRET_NAME` or `file:PATH`. All "
            "servers of a database need the same.",
            extra={"default": "the file `secrets/audit-key` in `HELTIG_HOME`, made at the first start"},
        ),
    ] = None
    encryption_key: Annotated[
        Annotated[str, Meta(pattern="^(env|file):.+$")] | None,
        Meta(
            description="Where the keys lie that evidence in the database is encrypted with: "
            "`env:HELTIG_SECRET_NAME` or `file:PATH`, of several the one that writes first. All servers of a "
            "database need the same.",
            extra={"default": "nothing is encrypted"},
        ),
    ] = None
    audit_syslog: Annotated[
        Address | None,
        Meta(
            description="The site's audit record repository, `HOST:PORT`: `heltig serve` sends it the audit "
            "trail as DICOM audit messages by syslog over TLS."
        ),
    ] = None
    audit_syslog_ca: Annotated[
        Path | None,
        Meta(
            description="PEM file of the only authorities to trust there.",
            extra={"default": "those of the operating system"},
        ),
    ] = None
    audit_syslog_certificate: Annotated[
        Path | None,
        Meta(description="PEM file of our certificate there, with its chain."),
    ] = None
    audit_syslog_key: Annotated[
        Path | None,
        Meta(description="PEM file of its key, where the certificate's file does not hold it."),
    ] = None
    log_format: Annotated[
        Literal["text", "json"] | None,
        Meta(
            description="How the service and its workers write their log: `text` for people, `json` for "
            "programs, a line an event.",
            extra={"default": "`text` on a terminal, `json` elsewhere"},
        ),
    ] = None
    archive_connect_seconds: Annotated[
        float, Meta(gt=0, description="How long connecting to an archive may take.")
    ] = 5.0
    archive_read_seconds: Annotated[
        float, Meta(gt=0, description="How long an archive may stay silent in the middle of an answer.")
    ] = 30.0
    archive_wait_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="How long an archive may have us wait before one answer (Retry-After). "
            "One that asks for more is not waited for: what was asked of it fails.",
        ),
    ] = 300.0
    archive_link_local: Annotated[
        bool,
        Meta(
            description="Whether an archive may have a link-local address such as 169.254.1.2. Clouds tell "
            "secrets there to whoever asks from within a machine."
        ),
    ] = False
    archive_proxy: Annotated[
        SecretUrl | None,
        Meta(description="HTTP proxy between us and the archives. The usual `HTTP_PROXY` has no effect."),
    ] = None

    analysis_enabled: Annotated[
        bool,
        Meta(
            description="READY studies may be analysed, for research only: docs/research.md. Needs "
            "`HELTIG_ANALYSIS_USE`."
        ),
    ] = False
    analysis_use: Annotated[
        Literal["", "research-only"],
        Meta(
            description="`research-only` acknowledges what analyses are: for research use only, no medical "
            "device, not for diagnosis, triage, treatment or clinical decisions."
        ),
    ] = ""
    analysis_allow_identified: Annotated[
        bool,
        Meta(
            description="Studies may be analysed that do not say that Patient Identity Removed (0012,0062) "
            "is YES, where whoever orders the analysis asks for it. Volumes of heads show a face."
        ),
    ] = False
    analysis_plan: Annotated[
        Path | None,
        Meta(
            description="TOML file of what finds structures, which studies are analysed of themselves, and "
            "the site's selection policy: docs/research.md."
        ),
    ] = None
    analysis_publish_to: Annotated[
        tuple[str, ...],
        Meta(
            description="Names of the archives that results of analyses may be sent to, when somebody "
            "orders it: docs/research.md. Without any, publishing is off."
        ),
    ] = ()
    analysis_python: Annotated[
        Path | None,
        Meta(
            description="The Python of an environment that has Heltig with its extra `imaging`, of the same "
            "version.",
            extra={"default": "the one that Heltig itself runs on"},
        ),
    ] = None
    max_parallel_cases: Annotated[
        int, Meta(ge=1, le=64, description="Analyses at the same time, on all workers together.")
    ] = 3
    analysis_memory: Annotated[Size, Meta(description="Memory of one process of an analysis.")] = Size(
        16 * 1024**3
    )
    analysis_seconds: Annotated[
        float, Meta(gt=0, description="How long an analysis may take once it has the images of its study.")
    ] = 3600.0
    analysis_max_size: Annotated[
        Size, Meta(description="All objects of a study that is analysed, together.")
    ] = Size(16 * 1024**3)
    analysis_keep_uploads: Annotated[
        Days,
        Meta(
            description="Days that the ZIP of an upload is kept after it was judged, so that its studies can "
            "be analysed; only where `HELTIG_ANALYSIS_ENABLED`."
        ),
    ] = Days(7)

    def __post_init__(self) -> None:
        if problems := list(contradictions(self)):
            raise ConfigurationError("\n".join(problems))

    @property
    def database(self) -> str:
        """The URL of the database in use, with its password."""
        if self.database_url:
            return self.database_url.secret
        return f"sqlite+aiosqlite:///{(self.home / 'heltig.db').as_posix()}"
