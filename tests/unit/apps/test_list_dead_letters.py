"""ListDeadLetters: operations of all apps that were given up."""

from __future__ import annotations

from proximity.apps.v1 import apps_service_pb2 as pb

from tests.fakes.apps_service import Service, call
from tests.fakes.dead_operations import give_up


async def test_only_operations_that_were_given_up_are_listed(service: Service) -> None:
    administrator = call(9, staff=True)
    answer = await service.api.list_dead_letters(pb.ListDeadLettersRequest(), administrator)
    assert (answer.total, len(answer.operations)) == (0, 0)
    dead = await give_up(service, await service.deploy("web-01"))
    await service.deploy("web-02", user=2)
    answer = await service.api.list_dead_letters(pb.ListDeadLettersRequest(), administrator)
    assert (answer.total, [one.id for one in answer.operations]) == (1, [dead])
    assert answer.operations[0].status == "failed"  # the contract has no other word for it


async def test_pages_split_the_list(service: Service) -> None:
    dead = {await give_up(service, await service.deploy(f"web-0{n}")) for n in range(3)}
    pages = [
        await service.api.list_dead_letters(
            pb.ListDeadLettersRequest(page=number, per_page=2), call(9, staff=True)
        )
        for number in (1, 2)
    ]
    assert [(one.total, len(one.operations)) for one in pages] == [(3, 2), (3, 1)]
    assert {one.id for page in pages for one in page.operations} == dead
