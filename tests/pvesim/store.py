"""The state on disk: one row for each record, written together, whole or not at all."""

import json
import sqlite3
from pathlib import Path

from tests.pvesim.model.cluster import Cluster


class StateStore:
    """Saves what changed in a cluster into one SQLite file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "state.sqlite", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS records (kind TEXT, key TEXT, data TEXT, PRIMARY KEY (kind, key))"
        )

    def load(self, cluster: Cluster) -> bool:
        """Fill an empty cluster; False when nothing was ever saved."""
        rows = self._db.execute("SELECT kind, key, data FROM records ORDER BY rowid").fetchall()
        for kind, key, data in rows:
            cluster.load_record(kind, key, json.loads(data))
        cluster.tasks = dict(sorted(cluster.tasks.items(), key=lambda one: (one[1].starttime, one[1].pid)))
        cluster.containers = dict(sorted(cluster.containers.items()))
        return bool(rows)

    def save(self, cluster: Cluster) -> None:
        """Write everything that changed since the last time, in one transaction."""
        if not cluster.changed:
            return
        touched, cluster.changed = cluster.changed, {}
        changed = dict.fromkeys((kind, "all" if kind == "settings" else key) for kind, key in touched)
        self._db.execute("BEGIN IMMEDIATE")
        for kind, key in changed:
            record = cluster.find_record(kind, key)
            if record is None:
                self._db.execute("DELETE FROM records WHERE kind = ? AND key = ?", (kind, key))
                continue
            self._db.execute(
                "INSERT INTO records VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET data = excluded.data",
                (kind, key, json.dumps(record)),
            )
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file; what was saved stays."""
        self._db.close()
