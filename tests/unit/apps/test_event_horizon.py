"""The horizon of events: no id is passed over that a transaction under way may still bring."""

from __future__ import annotations

from services.apps.events.horizon import EventHorizon, find_settled


class Ids:
    """Events and transactions as a database shows them; `script` changes them before a look at the transactions."""

    def __init__(self, *ids: int) -> None:
        self.ids = list(ids)
        self.oldest = self.following = 10
        self.script: list[dict[str, int | list[int]]] = []

    async def list_event_ids(self, *, after: int, limit: int) -> list[int]:
        return sorted(number for number in self.ids if number > after)[:limit]

    async def find_newest_event_id(self) -> int:
        return max(self.ids, default=0)

    async def read_transactions(self) -> tuple[int, int]:
        if self.script:
            for name, value in self.script.pop(0).items():
                setattr(self, name, value)
        return self.oldest, self.following


async def read_all(horizon: EventHorizon, *, after: int) -> list[int]:
    """Return the ends of the reads until there is no more."""
    ends, has_more = [after], True
    while has_more:
        end, has_more = await horizon.find_end(ends[-1])
        ends.append(end)
    return ends


def test_ids_are_settled_up_to_the_first_gap() -> None:
    assert find_settled([4, 5, 7, 8], after=3, settled=0) == 5
    assert find_settled([5, 6], after=3, settled=0) == 3
    assert find_settled([5, 6, 9], after=3, settled=6) == 6
    assert find_settled([], after=3, settled=0) == 3


async def test_a_missing_id_is_waited_for_while_a_transaction_may_bring_it() -> None:
    ids = Ids(1, 2, 4)
    horizon = EventHorizon(ids, page=10)
    ids.oldest, ids.following = 8, 9
    assert await horizon.find_end(0) == (2, True)
    assert await horizon.find_end(2) == (2, True)
    ids.ids.append(3)
    assert await horizon.find_end(2) == (4, False)


async def test_an_id_that_nothing_brings_is_passed_over() -> None:
    ids = Ids(1, 2, 4)
    horizon = EventHorizon(ids, page=10)
    ids.script = [{"oldest": 8, "following": 9}, {"oldest": 9, "following": 12}]
    assert await read_all(horizon, after=0) == [0, 2, 2, 4]


async def test_transactions_that_began_after_the_gap_are_not_waited_for() -> None:
    ids = Ids(1, 3)
    horizon = EventHorizon(ids, page=10)
    ids.script = [{"oldest": 8, "following": 9}, {"oldest": 9, "following": 20}]
    assert await read_all(horizon, after=0) == [0, 1, 1, 3]


async def test_one_that_begins_waits_for_what_is_under_way() -> None:
    ids = Ids(1, 3)
    ids.script = [{"oldest": 8, "following": 9}, {"ids": [1, 2, 3]}, {"oldest": 9}]
    assert await EventHorizon(ids, page=10).begin() == 3
    assert not ids.script
