"""Five-field cron in a time zone.

The fields are evaluated by cronsim. On a change of the clock, a schedule that names hours runs for each of its times of
day once: one that the clock skips at the first minute after the gap, one that occurs twice at its first occurrence. A
schedule of all hours, such as `*/30 * * * *`, runs by the time that passes: on through both of a repeated hour, and not for
one that is skipped.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cronsim import CronSim

_HOURS_OF_DAY = 24  # a schedule that has all of them names none in particular


class Cron(CronSim):
    """cronsim that treats a schedule at a change of the clock by the hours it means, not by how it is written.

    cronsim goes by the asterisks: it leaves `*/30 0 * * *` out on a day whose clock skips midnight.
    """

    def __init__(self, expression: str, begin: datetime) -> None:
        """Read an expression; its first slot is later than `begin`."""
        super().__init__(expression, begin)
        # By the time that passes, for all hours of the day; otherwise by local times, each mapped to a time that exists.
        by_local_times = len(self.hours) < _HOURS_OF_DAY
        self.fixup_tz = begin.tzinfo if by_local_times else None
        self.dt = begin.replace(microsecond=0, tzinfo=None if by_local_times else begin.tzinfo)

    def advance_minute(self) -> bool:
        """Advance to a minute that is wanted, or to the next hour, and return whether it was another one.

        cronsim goes on by whole hours: after a change by half an hour, as on Lord Howe Island, it would leap over a minute.
        """
        if self.dt.minute in self.minutes:
            return False
        self.tick(seconds=60 - self.dt.second)
        while self.dt.minute and self.dt.minute not in self.minutes:
            self.tick(seconds=60)
        return True

    def advance_day(self) -> bool:
        """Advance to a day that is wanted, and return whether it was another one.

        cronsim goes to its midnight, even where the clock skips it.
        """
        is_other = super().advance_day()
        while self.dt.tzinfo is not None and _is_skipped(self.dt):
            self.dt += timedelta(minutes=1)
        return is_other


def _is_skipped(local: datetime) -> bool:
    return local.astimezone(UTC).astimezone(local.tzinfo) != local
