"""GetAppOutput: the lines that an app wrote, in order, bounded, without its secrets."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppNotFoundError, NotAvailableError
from services.apps.domain.output import MAX_BYTES, MAX_LINE
from services.apps.domain.rendering import AppRendering
from services.apps.usecases import output as usecase
from services.clients.inventory.errors import ContainerNotFoundError
from services.common.core.errors import InvalidError, PreconditionError, UnavailableError
from tests.fakes.app_output import SECRET, prepare, say
from tests.fakes.apps_service import Service, call


async def read(platform: Service, app_id: str, **fields: Any) -> pb.AppOutput:
    return await platform.api.get_app_output(pb.GetAppOutputRequest(app_id=app_id, **fields), call())


def show(lines: Sequence[pb.OutputLine]) -> list[tuple[str, str]]:
    return [(line.service, line.text) for line in lines]


async def test_lines_of_all_services_are_in_the_order_of_their_times(service: Service) -> None:
    app_id = await prepare(service)
    say(
        service,
        "web-1  | 2026-11-30T12:00:01.000000001Z ready | with a bar",
        "web-1  | 2026-11-30T12:00:03.5Z second",
        "store  | 2026-11-30T12:00:02.123456789Z listening",
    )
    answer = await read(service, app_id)
    assert show(answer.lines) == [("web", "ready | with a bar"), ("db", "listening"), ("web", "second")]
    assert answer.lines[1].time.ToDatetime(UTC) == datetime(2026, 11, 30, 12, 0, 2, 123456, tzinfo=UTC)
    assert (answer.source, list(answer.services), answer.truncated) == ("compose", ["web", "db"], False)
    assert show((await read(service, app_id, tail=1)).lines) == [("web", "second")]


async def test_the_request_reaches_docker_compose_word_by_word(service: Service) -> None:
    app_id = await prepare(service)
    say(service)
    request = pb.GetAppOutputRequest(app_id=app_id, service="web", tail=7)
    request.since.FromDatetime(datetime(2026, 11, 30, 12, 0, tzinfo=UTC))
    await service.api.get_app_output(request, call())
    script = service.platform.containers.commands[-1][-1]
    assert "logs --no-color --timestamps --tail 7 --since 2026-11-30T12:00:00Z web;" in script


@pytest.mark.parametrize("name", ["nothing", "web; reboot", "--follow", "$(id)"])
async def test_a_service_that_the_app_does_not_have_is_refused_before_anything_runs(
    service: Service, name: str
) -> None:
    app_id, before = await prepare(service), len(service.platform.containers.commands)
    with pytest.raises(InvalidError, match="it has web, db"):
        await read(service, app_id, service=name)
    assert len(service.platform.containers.commands) == before


async def test_secret_values_are_masked_wherever_they_stand(service: Service) -> None:
    app_id = await prepare(service)
    say(
        service,
        f"web-1  | 2026-11-30T12:00:01Z key={SECRET}!",
        f"web-1  | 2026-11-30T12:00:02Z {SECRET[:8]}\x1b[31m{SECRET[8:]}\x1b[0m",
        "web-1  | 2026-11-30T12:00:03Z first-line-of-key",
        "web-1  | 2026-11-30T12:00:04Z second-line-of-key",
        f"web-1  | 2026-11-30T12:00:05Z {'x' * (MAX_LINE - 4)}{SECRET}",
    )
    answer = await read(service, app_id)
    assert [line.text for line in answer.lines[:4]] == ["key=********!", "********", "********", "********"]
    assert answer.lines[4].text == "x" * (MAX_LINE - 4) + "****"
    assert answer.truncated


async def test_escape_sequences_and_controls_are_taken_out(service: Service) -> None:
    app_id = await prepare(service)
    lines = (
        "\x1b]0;title\x07a",
        "\x1b[2J\x1b[1;31mred\x1b[m",
        "10%\r20%\rdone",
        "tab\there",
        "bell\x07 \u202eback",
    )
    say(service, *(f"web-1  | 2026-11-30T12:00:0{n}Z {line}" for n, line in enumerate(lines)))
    answer = await read(service, app_id)
    # A carriage return overwrites the line, prefix included.
    assert [line.text for line in answer.lines] == ["a", "red", "done", "tab    here", "bell   back"]


async def test_a_flood_is_cut_at_the_beginning(service: Service) -> None:
    app_id = await prepare(service)
    line = "web-1  | 2026-11-30T12:00:01Z " + "y" * 5000
    flood = "\n".join([line] * 300) + "\nproximity-exit 0\n"
    service.platform.containers.output = flood[-MAX_BYTES:]
    answer = await read(service, app_id, tail=1000)
    assert answer.truncated
    assert answer.ByteSize() < MAX_BYTES
    assert {one.text for one in answer.lines} == {"y" * MAX_LINE}


async def test_lines_without_prefix_or_time_are_shown_as_they_are(service: Service) -> None:
    app_id = await prepare(service)
    say(
        service,
        'time="x" level=warning msg="a | b"',
        "web-1  | no time",
        "other-9  | 2026-11-30T12:00:01Z gone",
    )
    answer = await read(service, app_id)
    assert show(answer.lines) == [
        ("", 'time="x" level=warning msg="a | b"'),
        ("web", "no time"),
        ("", "gone"),
    ]
    assert not answer.lines[0].HasField("time")


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("permission denied\nproximity-exit 1\n", "permission denied"),
        (f"{SECRET}\nproximity-exit 125\n", r"\*\*\*\*\*\*\*\*"),
        ("proximity-exit 127\n", "it printed nothing"),
        ("web-1  | 2026-11-30T12:00:01Z broken off", "broken off"),
    ],
)
async def test_a_read_that_fails_says_why_without_secrets(service: Service, output: str, why: str) -> None:
    app_id = await prepare(service)
    service.platform.containers.output = output
    with pytest.raises(NotAvailableError, match=why):
        await read(service, app_id)


async def test_adopted_containers_show_their_journal(service: Service) -> None:
    app_id = await prepare(service, runtime="adopted", adopted=True, rendering=AppRendering())
    say(service, "1795000000.123456 sshd[7]: Accepted", "-- Boot --")
    request = pb.GetAppOutputRequest(app_id=app_id)
    request.since.FromDatetime(datetime(2026, 11, 30, 12, 0, tzinfo=UTC))
    answer = await service.api.get_app_output(request, call())
    assert (answer.source, list(answer.services)) == ("system", [])
    assert show(answer.lines) == [("", "sshd[7]: Accepted"), ("", "-- Boot --")]
    assert answer.lines[0].time.ToDatetime(UTC) == datetime.fromtimestamp(1795000000.123456, UTC)
    assert "--since @1796040000.000000" in service.platform.containers.commands[-1][-1]
    with pytest.raises(InvalidError, match="has no services"):
        await read(service, app_id, service="web")


async def test_images_as_containers_have_no_output(service: Service) -> None:
    app_id = await prepare(service, runtime="oci")
    with pytest.raises(NotAvailableError, match="Proxmox records nothing"):
        await read(service, app_id)


async def test_only_the_owner_reads_and_the_container_must_run(service: Service) -> None:
    fresh = await service.deploy()
    with pytest.raises(ContainerNotFoundError):
        await read(service, fresh.id)
    await service.platform.run()
    with pytest.raises(AppNotFoundError):
        await service.api.get_app_output(pb.GetAppOutputRequest(app_id=fresh.id), call(2))
    containers = service.platform.containers.containers
    (vmid,) = containers
    containers[vmid] = dataclasses.replace(containers[vmid], status="stopped")
    with pytest.raises(PreconditionError, match="does not run"):
        await read(service, fresh.id)


async def test_a_container_that_does_not_answer_is_a_clear_error(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    app_id = await prepare(service)
    monkeypatch.setattr(usecase, "_READ_S", 0.05)

    async def hang(*_: object, **__: object) -> int:
        await asyncio.Event().wait()
        return 0

    monkeypatch.setattr(service.platform.containers, "exec", hang)
    with pytest.raises(UnavailableError, match=f"the container of {app_id} did not answer within"):
        await read(service, app_id)
