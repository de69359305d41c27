"""Studies that are packed: ZIPs that wait to be uploaded, and those that a server refused."""

import os
import secrets
import shutil
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from heltig.errors import NotFoundError
from heltig.relay.files import make_folder, sync_folder

State: TypeAlias = Literal["waiting", "failed"]

_COPY: Final = 1024 * 1024  # bytes at once


class Package(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A packed study.

    Attributes:
        name: Of its file, without `.zip`.
        study: Its StudyInstanceUID.
        instances: How many objects.
        packed: When it was packed.
        tries: How often it was tried to upload it.
        error: Why that did not succeed, last time.
        not_before: When it is tried again.
    """

    name: str
    study: str
    instances: int
    packed: datetime
    tries: int = 0
    error: str = ""
    not_before: datetime | None = None


class Outbox:
    """The folders `packing`, `outbox` and `failed` of a relay."""

    def __init__(self, folder: Path) -> None:
        """Makes them."""
        self._packing = folder / "packing"
        self._folders: dict[State, Path] = {"waiting": folder / "outbox", "failed": folder / "failed"}
        for part in (self._packing, *self._folders.values()):
            make_folder(part)

    def place_for(self, study: str) -> Path:
        """Where the folder of a study goes that is to be packed."""
        return self._packing / f"{study}-{secrets.token_hex(4)}"

    def pack_all(self, now: datetime) -> int:
        """Packs what is to be packed; what a process began that died begins again."""
        folders = sorted(self._packing.iterdir())
        for folder in folders:
            if not any((place / f"{folder.name}.zip").exists() for place in self._folders.values()):
                self._pack(folder, now)
            shutil.rmtree(folder)
        return len(folders)

    def to_be_packed(self) -> list[tuple[str, int]]:
        """The studies that are to be packed, each with its number of objects."""
        return [
            (path.name.rpartition("-")[0], len(list(path.iterdir())))
            for path in sorted(self._packing.iterdir())
        ]

    def packages(self, state: State) -> list[Package]:
        """The packages in a state, in the order in which they were packed."""
        found = []
        for path in self._folders[state].glob("*.zip"):
            try:
                found.append(msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=Package))
            except (OSError, msgspec.DecodeError):
                packed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                study = path.stem.rpartition("-")[0]
                found.append(Package(name=path.stem, study=study, instances=_members(path), packed=packed))
        return sorted(found, key=lambda package: (package.packed, package.name))

    def path_of(self, package: Package, state: State = "waiting") -> Path:
        """The ZIP of a package."""
        return self._folders[state] / f"{package.name}.zip"

    def note(self, package: Package) -> None:
        """Writes down how a package stands that waits."""
        self._write(package, "waiting")

    def fail(self, package: Package) -> None:
        """Puts a package aside: only a person has it tried again."""
        self._write(package, "failed")
        self._move(package, "waiting", "failed")

    def remove(self, package: Package) -> None:
        """Removes a package that was uploaded."""
        self.path_of(package).unlink(missing_ok=True)
        self._note_of(package, "waiting").unlink(missing_ok=True)

    def retry(self, names: tuple[str, ...]) -> list[Package]:
        """Has packages tried again now: those that wait for it, too.

        Args:
            names: Their names, or the StudyInstanceUIDs; all where there are none.

        Raises:
            NotFoundError: There is none of such a name.
        """
        every = [(state, one) for state in self._folders for one in self.packages(state)]
        for name in names:
            if not any(name in (one.name, one.study) for _, one in every):
                raise NotFoundError(f"{name}: there is no such package. `heltig listen --list` shows them.")
        chosen = []
        for state, one in every:
            if not names or {one.name, one.study} & set(names):
                fresh = msgspec.structs.replace(one, tries=0, not_before=None)
                self._write(fresh, "waiting")
                if state == "failed":
                    self._move(one, "failed", "waiting")
                chosen.append(fresh)
        return chosen

    def _pack(self, folder: Path, now: datetime) -> None:
        target = self._folders["waiting"] / f"{folder.name}.zip"
        part = target.with_suffix(".part")
        names = sorted(path.name for path in folder.iterdir())
        try:
            self._zip(folder, names, part)
        except OSError:  # the disk is full: what a half of it takes up is better left to what comes
            part.unlink(missing_ok=True)
            raise
        study = folder.name.rpartition("-")[0]
        self._write(Package(name=folder.name, study=study, instances=len(names), packed=now), "waiting")
        part.replace(target)
        sync_folder(target.parent)

    @staticmethod
    def _zip(folder: Path, names: list[str], part: Path) -> None:
        with part.open("wb") as file:
            part.chmod(0o600)
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as package:
                for number, name in enumerate(names, 1):
                    with (
                        (folder / name).open("rb") as source,
                        package.open(f"{number:06}.dcm", "w", force_zip64=True) as member,
                    ):
                        shutil.copyfileobj(source, member, _COPY)
            file.flush()
            os.fsync(file.fileno())

    def _write(self, package: Package, state: State) -> None:
        path = self._note_of(package, state)
        part = path.with_suffix(".json.part")
        part.write_bytes(msgspec.json.encode(package))
        part.replace(path)

    def _move(self, package: Package, source: State, target: State) -> None:
        self.path_of(package, source).replace(self.path_of(package, target))
        sync_folder(self._folders[target])
        self._note_of(package, source).unlink(missing_ok=True)

    def _note_of(self, package: Package, state: State) -> Path:
        return self._folders[state] / f"{package.name}.json"


def _members(path: Path) -> int:
    try:
        with zipfile.ZipFile(path) as package:
            return len(package.namelist())
    except (OSError, zipfile.BadZipFile):
        return 0
