"""DICOM JSON to findings: decode, table and all rules, against the bare decode and against pydicom.

Run by hand: `python tests/bench/json_reading.py`. The rounds on synthetic studies take other studies each, so
that nothing remembered from an earlier round helps.
"""

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec
import pydicom_way
import synthetic
from heltig_way import apply_rules, read_body
from measuring import ROUNDS, Row, Timing, at_least, at_most, machine, print_table, race
from real_metadata import NotAtHandError, corpus_series, imaging_data_commons

BARE = "msgspec `dict[str, Raw]`, bare"
PYDICOM = "pydicom `Dataset.from_json`, reads of the rules"
PYDICOM_INSTANCES = 20  # a round

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Studies(msgspec.Struct):
    """Studies for one round: bodies, and the instances' texts a study."""

    bodies: Sequence[bytes]
    texts: Sequence[Sequence[bytes]]

    @property
    def instances(self) -> int:
        return sum(map(len, self.texts))


def studies_of(bodies: Sequence[bytes]) -> Studies:
    """Cut bodies into instances."""
    cut = msgspec.json.Decoder(list[msgspec.Raw]).decode
    return Studies(bodies, [[bytes(text) for text in cut(body)] for body in bodies])


def bare(rounds: Sequence[Studies], number: int) -> int:
    """Decode each instance alone and keep nothing: the limit."""
    for texts in rounds[number].texts:
        for text in texts:
            _decode(text)
    return rounds[number].instances


def table(rounds: Sequence[Studies], number: int) -> int:
    """Split and decode bodies as they come, to arranged tables."""
    for body in rounds[number].bodies:
        read_body(body)
    return rounds[number].instances


def judged(rounds: Sequence[Studies], number: int) -> int:
    """The same and all rules."""
    for body in rounds[number].bodies:
        for study in read_body(body):
            apply_rules(study)
    return rounds[number].instances


def pydicom(rounds: Sequence[Studies], number: int) -> int:
    """The usual way, on some instances from all over the studies."""
    texts = [text for of_study in rounds[number].texts for text in of_study]
    some = texts[number :: max(len(texts) // PYDICOM_INSTANCES, 1)]
    pydicom_way.check(pydicom_way.read_json(some))
    return len(some)


def compare(what: str, rounds: Sequence[Studies]) -> tuple[list[Row], Timing]:
    """The rows on some studies, and the cost of an instance."""
    ways = {"bare": bare, "table": table, "judged": judged, "pydicom": pydicom}
    costs = race({name: partial(way, rounds) for name, way in ways.items()}, rounds=len(rounds))
    rows = [
        at_most(2.5, f"{what}: table and all rules", costs["judged"], BARE, costs["bare"]),
        at_least(100, f"{what}: the same", costs["judged"], PYDICOM, costs["pydicom"]),
        Row(f"{what}: of this, the table", costs["table"]),
    ]
    return rows, costs["judged"]


def synthetic_rows() -> Iterator[Row]:
    for name, (studies, _) in synthetic.SHAPES.items():
        rounds = [studies_of(synthetic.bodies(name, first=number * studies)) for number in range(ROUNDS)]
        yield from compare(name, rounds)[0]


def commons_rows() -> Iterator[Row]:
    """Studies of the Imaging Data Commons, dealt to the rounds."""
    with tempfile.TemporaryDirectory() as scratch:
        bodies = imaging_data_commons(Path(scratch))
    rounds = [studies_of(bodies[number::ROUNDS]) for number in range(ROUNDS)]
    instances = sum(studies.instances for studies in rounds)
    yield from compare(f"{len(bodies)} studies, {instances:,} instances", rounds)[0]


def corpus_rows(modality: str) -> Iterator[Row]:
    """Real series, each a study of its own; the same in each round."""
    series = [b"[" + b",".join(texts) + b"]" for texts in corpus_series(modality).values()]
    studies = studies_of(series)
    attributes = sum(len(_decode(text)) for texts in studies.texts for text in texts)
    each = attributes / studies.instances
    rows, cost = compare(
        f"{len(series)} series, {studies.instances:,} instances of {each:.0f} attributes", [studies] * ROUNDS
    )
    yield from rows
    yield Row("µs an attribute", f"{cost.median / each:.3f}")


def main() -> None:
    print(machine("heltig", "msgspec", "pydicom"))
    print_table("DICOM JSON, synthetic CT (119 attributes), µs an instance", synthetic_rows())
    real = {
        "DICOM JSON, Imaging Data Commons, µs an instance": commons_rows(),
        "DICOM JSON, real MR series, µs an instance": corpus_rows("MR"),
    }
    for title, rows in real.items():
        try:
            print_table(title, rows)
        except NotAtHandError as missing:
            print(f"\nNot measured: {missing}.")


if __name__ == "__main__":
    main()
