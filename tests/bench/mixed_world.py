"""What clients of a load share: the studies there are, what was sent, how they were answered."""

import io
import random
import zipfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass
class Upload:
    """What a client sent, and what it was told.

    Attributes:
        study: The StudyInstanceUID of its only study.
        package: The ZIP.
        accepted: It was told that all of it is here.
        place: Of an upload in several requests: its address.
        offset: Of such: how much of it was acknowledged.
    """

    study: str
    package: bytes
    accepted: bool = False
    place: str = ""
    offset: int = 0


@dataclass
class World:
    """What all clients share.

    Attributes:
        studies: StudyInstanceUIDs that are judged.
        parts: Files of the study that is sent, each time as another one.
        names: What names it and its parts there: UIDs, PatientID, AccessionNumber.
        epoch: Grows with each end of the server.
        is_down: There is no server now.
        pause: Mean seconds between an answer and the next request of a client.
    """

    studies: list[str]
    parts: list[tuple[str, bytes]]
    names: list[str]
    pause: float
    epoch: int = 0
    is_down: bool = False
    is_over: bool = False
    sent: list[Upload] = field(default_factory=list)
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    cuts: int = 0
    wrong: list[str] = field(default_factory=list)

    def study(self) -> str:
        """Any study; some are asked for often."""
        return self.studies[int(len(self.studies) * random.random() ** 3)]

    def new_upload(self) -> Upload:
        """A ZIP with a study that was not sent before."""
        others = {name: _another(name) for name in self.names}
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as package:
            for file, content in self.parts:
                for name, other in others.items():
                    content = content.replace(name.encode(), other.encode())
                package.writestr(zipfile.ZipInfo(file), content)
        made = Upload(others[self.names[0]], packed.getvalue())
        self.sent.append(made)
        return made


def _another(name: str) -> str:
    """A name of the same length."""
    start = "2.25." if name.startswith("2.25.") else name[:1]
    return start + "".join(random.choices("123456789", k=len(name) - len(start)))
