"""The databases under measurement: made, filled, brought to rest, and asked what a piece cost them."""

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


@dataclass
class Cost:
    """What a piece of work did to the table of devices."""

    wal_bytes: int
    updated: int
    hot: int
    dead: int
    commits: int

    @property
    def hot_percent(self):
        return 100 * self.hot / self.updated if self.updated else 0.0


class Postgres:
    """A database of its own, its owner, and the service's role, which row-level security binds."""

    service_role = "bench_service"

    def __init__(self, psql, server_url, name):
        self.psql, self.server_url, self.name = psql, server_url, name
        owner = f"{name}_owner"
        self.sql(
            f"CREATE ROLE {owner} LOGIN NOSUPERUSER NOBYPASSRLS",
            f"DO $$ BEGIN CREATE ROLE {self.service_role} LOGIN NOSUPERUSER NOBYPASSRLS;"
            " EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            f"CREATE DATABASE {name} OWNER {owner} TEMPLATE template0",
            url=server_url,
        )
        self.owner_url = self._url(owner)
        self.service_url = self._url(self.service_role)
        self.superuser_url = self._url(urlsplit(server_url).username)

    def _url(self, role):
        server = urlsplit(self.server_url)
        place = f"{role}@{server.hostname}:{server.port}"
        return urlunsplit(server._replace(netloc=place, path=f"/{self.name}"))

    def sql(self, *statements, url=None, stdin=None):
        """Runs statements as the superuser and answers the last one's rows, one text per column."""
        command = [self.psql, "-qXAt", "-v", "ON_ERROR_STOP=1", "-F", "\t"]
        for statement in statements:
            command += ["-c", statement]
        done = subprocess.run(
            [*command, url or self.superuser_url],
            input=stdin, check=True, capture_output=True, text=True,
        )
        return [line.split("\t") for line in done.stdout.splitlines()]

    def rest(self):
        """Nothing left to clean or to flush, so that the next piece pays for itself alone: after the
        checkpoint, the first change of every page carries its full image, for each piece alike."""
        self.sql("VACUUM device_connections, carrier_integrations", "CHECKPOINT")

    def _counters(self):
        [row] = self.sql(
            "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn, n_tup_upd, n_tup_hot_upd, n_dead_tup,"
            " (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())"
            " FROM pg_stat_user_tables WHERE relname = 'device_connections'"
        )
        return [int(value) for value in row]

    def measured(self, rows, work):
        """Runs `work`, which updates so many rows, and answers its result and what it cost."""
        self.rest()
        before = self._counters()
        result = work()
        after = self._counters()
        # A server process reports its counts when it ends, a moment after its client did.
        for _ in range(100):
            if after[1] - before[1] >= rows:
                break
            time.sleep(0.05)
            after = self._counters()
        wal, updated, hot, _, commits = (new - old for new, old in zip(after, before))
        return result, Cost(wal, updated, hot, after[3], commits)

    def size_mb(self):
        [[size]] = self.sql("SELECT pg_total_relation_size('device_connections') / 1048576")
        return int(size)


class Sqlite:
    """A database file. Nothing of it is asked but that it is there."""

    def __init__(self, path: Path):
        self.owner_url = self.service_url = f"sqlite://{path}"
        self.service_role = None
