"""The console is a terminal with a shell."""

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest

from tests.pvesim.guest import Console, Guest, World


class Screen:
    """What a terminal showed, to wait on."""

    def __init__(self) -> None:
        self.shown = bytearray()
        self._more = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.shown += data
        self._more.set()

    async def wait_for(self, text: bytes) -> bytes:
        """Wait until the text was shown; returns what came before it and takes both away."""
        seen = 0
        async with asyncio.timeout(60):
            while (at := self.shown.find(text, max(0, seen - len(text)))) < 0:
                seen = len(self.shown)
                self._more.clear()
                await self._more.wait()
        before = bytes(self.shown[:at])
        del self.shown[: at + len(text)]
        return before


@pytest.fixture
async def screen() -> Screen:
    return Screen()


@pytest.fixture
async def console(debian: Guest, world: World, screen: Screen) -> AsyncIterator[Console]:
    made = Console(debian, world)
    made.attach(screen.write)
    yield made
    await made.close()


@pytest.fixture
async def busybox(alpine: Guest, world: World, screen: Screen) -> AsyncIterator[Console]:
    made = Console(alpine, world)
    made.attach(screen.write)
    yield made
    await made.close()


async def test_it_prompts_echoes_and_answers_with_crlf(console: Console, screen: Screen) -> None:
    await screen.wait_for(b"root@ct1:~# ")
    await console.feed(b"echo hi\r")
    assert b"echo hi\r\n" in await screen.wait_for(b"hi\r\n\x1b[?2004h")


async def test_echo_can_be_switched_off(console: Console, screen: Screen) -> None:
    await console.feed(b"stty -echo\n")
    await screen.wait_for(b"root@ct1:~# ")
    await screen.wait_for(b"root@ct1:~# ")
    await console.feed(b"echo $((40+2)); echo end:$?\n")
    assert b"echo" not in await screen.wait_for(b"end:0\r\n")


async def test_state_lasts_between_lines(console: Console, screen: Screen) -> None:
    await console.feed(b'cd /etc; X=5\nfalse\necho "$X $? $(hostname)" @$((1+1))\n')
    await screen.wait_for(b"5 1 ct1 @2\r\n")
    await screen.wait_for(b"root@ct1:/etc# ")


async def test_a_heredoc_of_many_lines_becomes_a_file(
    console: Console, screen: Screen, debian: Guest
) -> None:
    lines = "".join(f"line {i} $HOME 'quoted\n" for i in range(20_000))
    await console.feed(f"cat > /root/f <<'EOF'\n{lines}EOF\necho done:$?\n".encode())
    await screen.wait_for(b"done:0\r\n")
    assert debian.fs.read("/root/f").decode() == lines


async def test_a_program_reads_what_is_typed_until_end_of_input(
    console: Console, screen: Screen, debian: Guest
) -> None:
    data = bytes(range(256)) * 64
    await console.feed(b"base64 -d > /root/bin; echo stored:$?\n")
    await console.feed(base64.encodebytes(data) + b"\x04")
    await screen.wait_for(b"stored:0\r\n")
    assert debian.fs.read("/root/bin") == data


async def test_what_a_line_has_beyond_4095_bytes_is_lost(console: Console, screen: Screen) -> None:
    await console.feed(b"printf %s " + b"a" * 5000 + b" | wc -c; echo not-reached\n")
    await console.feed(b"echo ok:$?\n")
    await screen.wait_for(b"ok:0\r\n")
    await console.feed(b"X=" + b"b" * 4000 + b"\necho len:${#X}.\n")
    await screen.wait_for(b"len:4000.\r\n")


async def test_busybox_takes_shorter_lines_at_its_prompt(busybox: Console, screen: Screen) -> None:
    await screen.wait_for(b"ct1:~# ")
    await busybox.feed(b"X=" + b"b" * 2000 + b"\necho len:${#X}.\n")
    await screen.wait_for(b"len:1020.\r\n")
    await busybox.feed(b"cat > /tmp/x; wc -c < /tmp/x\n")
    await screen.wait_for(b"\r\n")
    await busybox.feed(b"c" * 2000 + b"\n\x04")
    await screen.wait_for(b"2001\r\n")


async def test_interrupt_ends_a_hanging_command(console: Console, screen: Screen, world: World) -> None:
    world.scale = 1.0
    await screen.wait_for(b"# ")
    await console.feed(b"sleep 1000\n")
    await screen.wait_for(b"\x1b[?2004l\r")
    await asyncio.sleep(0)
    await console.feed(b"\x03")
    await screen.wait_for(b"^C")
    await console.feed(b"echo code:$?\n")
    await screen.wait_for(b"code:130\r\n")


async def test_unfinished_input_gets_the_second_prompt(console: Console, screen: Screen) -> None:
    await console.feed(b"if true; then\n")
    await screen.wait_for(b"\x1b[?2004h> ")
    await console.feed(b"echo inside; fi\n")
    await screen.wait_for(b"inside\r\n\x1b")


async def test_everybody_attached_sees_the_same_shell(console: Console, screen: Screen) -> None:
    other = Screen()
    console.attach(other.write)
    await console.feed(b"echo shared\n")
    await screen.wait_for(b"shared\r\n\x1b")
    await other.wait_for(b"shared\r\n\x1b")
    console.detach(screen.write)
    await console.feed(b"echo more\n")
    await other.wait_for(b"more\r\n\x1b")
    assert b"more" not in screen.shown


async def test_exit_ends_the_shell_and_attaching_starts_another(console: Console, screen: Screen) -> None:
    await console.feed(b"exit\n")
    await screen.wait_for(b"exit\r\n\x1b[?2004l\rexit\r\n")
    console.detach(screen.write)
    await asyncio.sleep(0)
    console.attach(screen.write)
    await screen.wait_for(b"root@ct1:~# ")


async def test_a_tty_console_asks_for_the_password(debian: Guest, world: World, screen: Screen) -> None:
    debian.password = "pw12345"
    console = Console(debian, world, login=True)
    console.attach(screen.write)
    await screen.wait_for(b"ct1 login: ")
    await console.feed(b"root\nwrong\n")
    await screen.wait_for(b"Login incorrect")
    await screen.wait_for(b"ct1 login: ")
    await console.feed(b"root\npw12345\n")
    await screen.wait_for(b"root@ct1:~# ")
    assert b"pw12345" not in screen.shown
    await console.close()


async def test_commands_are_recorded(console: Console, screen: Screen, world: World) -> None:
    await console.feed(b"echo recorded\n")
    await screen.wait_for(b"recorded\r\n\x1b")
    assert world.recorded("c1/105")[-1]["raw"] == "echo recorded\n"


async def test_what_is_typed_before_the_terminal_is_set_is_echoed_and_lost(
    world: World, alpine: Guest, screen: Screen
) -> None:
    console = Console(alpine, world, attach_s=0.05)
    console.attach(screen.write)
    await console.feed(b"echo lo''st\n")
    assert await screen.wait_for(b"# ") == b"echo lo''st\r\nct1:~"
    await console.feed(b"echo fou''nd\n")
    assert b"lost" not in await screen.wait_for(b"found")
    await console.close()


async def test_the_answer_to_the_question_for_the_position_is_no_input(
    busybox: Console, screen: Screen
) -> None:
    await screen.wait_for(b"\x1b[6n")
    await busybox.feed(b"\x1b[1;12R")
    await busybox.feed(b"echo $((40+2))\r")
    await screen.wait_for(b"\r\n42\r\n")
