"""What is written to a connection, and when."""

import asyncio

import pytest

from heltig.api.joined_writes import JoinedWrites


class Wire(asyncio.Transport):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.is_over = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_over

    def close(self) -> None:
        self.is_over = True


async def joined(*written: bytes) -> tuple[Wire, JoinedWrites]:
    wire = Wire()
    joined = JoinedWrites(wire, asyncio.get_running_loop())
    for data in written:
        joined.write(data)
    return wire, joined


@pytest.mark.parametrize("body", [b"body", b"body" * 50_000])
async def test_a_head_and_its_body_go_out_in_one_piece(body: bytes) -> None:
    wire, _ = await joined(b"head ", body)
    assert wire.sent == [b"head " + body]


async def test_what_nothing_follows_goes_out_by_itself() -> None:
    wire, connection = await joined(b"head", b"", b" first", b" second")
    await asyncio.sleep(0)
    assert b"".join(wire.sent) == b"head first second"
    connection.write(b" third")
    await asyncio.sleep(0)
    assert b"".join(wire.sent) == b"head first second third"


async def test_nothing_is_lost_when_it_is_closed() -> None:
    wire, connection = await joined(b"refused")
    connection.close()
    assert wire.sent == [b"refused"]
    assert wire.is_over


async def test_nothing_is_written_to_a_client_that_went() -> None:
    wire, _ = await joined(b"head")
    wire.is_over = True
    await asyncio.sleep(0)
    assert wire.sent == []
