"""Studies pulled from a real Orthanc over loopback and judged: who is the limit, the archive or Heltig?

Run by hand: `python tests/bench/pulling.py`. Needs an Orthanc, see tests/servers/orthanc.py.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import synthetic
from heltig_way import PROFILE, TODAY
from measuring import Row, machine, print_table, within

from connectors.dicomweb import DicomWebArchive
from heltig import http
from heltig.auth.archives import auth_for
from heltig.credentials import BasicAuth
from heltig.demo.part10 import part10
from heltig.pipeline.judging import judge
from heltig.pipeline.pull.listing import list_studies
from heltig.pipeline.pull.study import pull_study

sys.path.append(str(Path(__file__).parents[1]))
from servers.orthanc import Orthanc, OrthancNotInstalledError, running_orthanc

STUDIES, INSTANCES = 10, 100
ROUNDS = 3


def files() -> Iterator[bytes]:
    """Instances with a single pixel, since their metadata is all that is asked for."""
    for study in range(STUDIES):
        for instance in synthetic.instances(INSTANCES, study=study):
            yield part10(instance, {"7FE00010": b"\0\0"})


async def pull(orthanc: Orthanc) -> int:
    """List and pull all studies, one after the other, and judge them; returns the number of instances."""
    auth = auth_for(
        BasicAuth(username=orthanc.username, secret="env:PASSWORD"), environ={"PASSWORD": orthanc.password}
    )
    async with http.client(orthanc.root, auth=auth) as client:
        archive = DicomWebArchive("bench", qido=client, wado=client)
        instances = 0
        for listed in (await list_studies(archive, {})).studies:
            table = await pull_study(archive, listed.uid, listed=listed.rows)
            table.arrange()
            judge(table, PROFILE, reference_date=TODAY, archive=archive.id)
            instances += table.rows
    return instances


def rows() -> Iterator[Row]:
    rates, shares, costs = [], [], []
    with tempfile.TemporaryDirectory() as scratch, running_orthanc(Path(scratch)) as orthanc:
        orthanc.store(files())
        asyncio.run(pull(orthanc))  # what is loaded once, is loaded now
        for _ in range(ROUNDS):
            wall, cpu = time.perf_counter(), time.process_time()
            instances = asyncio.run(pull(orthanc))
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            rates.append(instances / wall)
            shares.append(cpu / wall)
            costs.append(cpu / instances * 1e6)
    yield Row("instances a second, both on this machine", f"{statistics.median(rates):,.0f}")
    yield Row("our CPU, µs an instance", f"{statistics.median(costs):,.0f}")
    share = statistics.median(shares)
    yield within(0.5, "≤ 50 %", "our CPU's share of the wall time", f"{share:.0%}", share)


def main() -> None:
    print(machine("heltig", "httpx", "msgspec"))
    try:
        print_table(f"Pull from Orthanc and judge, {STUDIES} studies of {INSTANCES} instances", rows())
    except OrthancNotInstalledError as missing:
        print(f"\nNot measured: needs {missing}.")


if __name__ == "__main__":
    main()
