import pytest

from services.apps.domain.advice import find_advice
from tests.pvesim.guest.docker.engine import RATE_LIMIT


@pytest.mark.parametrize(
    ("text", "part", "may_pass"),
    [
        (
            "runc create failed: open sysctl net.ipv4.ip_unprivileged_port_start file: permission denied",
            "lxc-pve",
            False,
        ),
        ("write /usr/lib/libc.so.6: no space left on device", "disk_size", False),
        ('failed to mount overlay: invalid argument, storage-driver="overlay2"', "ZFS", False),
        ("Error: manifest for nginx:9 not found: manifest unknown", "no such image", False),
        (RATE_LIMIT, "tried again", True),
        ("Temporary failure resolving 'deb.debian.org'", "DNS", True),
    ],
)
def test_known_problems_come_with_what_to_do(text: str, part: str, may_pass: bool) -> None:
    advice = find_advice(f"first line\n{text}\nlast line")
    assert advice is not None
    assert part in advice.text
    assert advice.may_pass is may_pass


def test_a_known_problem_is_seen_at_the_end_of_a_long_line() -> None:
    advice = find_advice("x" * 50_000 + ": no space left on device")
    assert advice is not None
    assert "disk_size" in advice.text


def test_what_is_not_known_gets_no_advice() -> None:
    assert find_advice("exit status 1") is None
