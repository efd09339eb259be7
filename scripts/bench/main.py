"""What scripts/bench.sh measures. Each command is a function, top to bottom what it does.

Started by scripts/bench.sh, which builds the programs and keeps the Postgres server.
"""

import os
import sys
from pathlib import Path
from statistics import median

import many
import status as served
from database import Postgres, Sqlite
from programs import Service, limit
from table import progress, show, spread

POSTGRES_WAYS = ["unnest-1000", "unnest-5000", "unnest-10000", "copy"]
SQLITE_WAYS = ["json-1000", "json-5000", "json-100000", "prepared"]
LATENCY_SECONDS = 0.05


class Bench:
    """The programs, the server, and a folder for everything that is thrown away."""

    def __init__(self, program, limit_program, fleet_program):
        self.home = Path(os.environ["BENCH_HOME"])
        self.service = Service(program, self.home)
        self.limit_program, self.fleet_program = limit_program, fleet_program

    def postgres(self, name):
        psql = f"{os.environ['POSTGRES_BIN']}/psql"
        return Postgres(psql, os.environ["TEST_DATABASE_URL"], name)

    def sqlite(self, name):
        return Sqlite(self.home / f"{name}.db")


# ---- compare: the service against the database's own limit ---------------------------------------


def compare(bench, devices, rounds):
    with bench.service.carrier(devices=devices) as carrier:
        compare_postgres(bench, carrier, devices, rounds)
        compare_sqlite(bench, carrier, devices, rounds)


def compare_postgres(bench, carrier, devices, rounds):
    database = bench.postgres("compare")
    bench.service.connect(database, carrier)
    # By name, one of each counted round: rows per second, what it cost the database, the process.
    speed, costs, used, calls = {}, {}, {}, []

    def run_limit(way):
        work = lambda: limit(bench.limit_program, database.service_url, way)
        done, cost = database.measured(devices, work)
        return f"limit: {way}", done["rows"] / done["seconds"], cost, None

    def run_service(transactions):
        before = carrier.calls()
        work = lambda: bench.service.once(database, writer__max_in_flight=transactions)
        (usage, [report]), cost = database.measured(devices, work)
        calls.append(carrier.calls() - before)
        return service_name(transactions), report["synced"] * 1000 / report["elapsed_ms"], cost, usage

    for number in range(rounds + 1):
        progress(f"Postgres, round {number} of {rounds}")
        # A limit before each service: else the second would find the values that it is to write.
        for run, argument in [
            *((run_limit, way) for way in POSTGRES_WAYS[:2]), (run_service, 1),
            *((run_limit, way) for way in POSTGRES_WAYS[2:]), (run_service, 2),
        ]:
            name, rows_per_second, cost, usage = run(argument)
            if number == 0:  # Caches warm up and the table's rows spread.
                continue
            speed.setdefault(name, []).append(rows_per_second)
            costs.setdefault(name, []).append(cost)
            if usage:
                used.setdefault(name, []).append(usage)

    show(
        f"Postgres, {devices:,} devices, {rounds} rounds after one to warm up: median (lowest..highest)",
        ["", "rows/s", "WAL B/row", "HOT %", "dead tuples"],
        [
            [
                name,
                spread(values),
                spread([cost.wal_bytes / devices for cost in costs[name]]),
                spread([cost.hot_percent for cost in costs[name]], 1),
                spread([cost.dead for cost in costs[name]]),
            ]
            for name, values in speed.items()
        ],
    )
    best = max(POSTGRES_WAYS, key=lambda way: median(speed[f"limit: {way}"]))
    print_service(used, calls)
    for name in used:
        print(f"  {name} / best limit of the same round ({best} by median):"
              f" {spread(ratios(speed, name, POSTGRES_WAYS), 2)}")
    print(f"  table and indexes: {database.size_mb()} MB", flush=True)


def service_name(transactions):
    return f"service: max_in_flight {transactions}"


def compare_sqlite(bench, carrier, devices, rounds):
    database = bench.sqlite("compare")
    bench.service.connect(database, carrier)
    name = "service"
    speed, used, calls = {}, {name: []}, []
    for number in range(rounds + 1):
        progress(f"SQLite, round {number} of {rounds}")
        kept = speed if number > 0 else {}
        for way in SQLITE_WAYS:
            done = limit(bench.limit_program, database.service_url, way)
            kept.setdefault(f"limit: {way}", []).append(done["rows"] / done["seconds"])
        before = carrier.calls()
        usage, [report] = bench.service.once(database)
        kept.setdefault(name, []).append(report["synced"] * 1000 / report["elapsed_ms"])
        if number > 0:
            used[name].append(usage)
            calls.append(carrier.calls() - before)
    show(f"SQLite, {devices:,} devices, {rounds} rounds after one to warm up: median (lowest..highest)",
         ["", "rows/s"], [[what, spread(values)] for what, values in speed.items()])
    print_service(used, calls)
    print(f"  service / best limit of the same round: {spread(ratios(speed, name, SQLITE_WAYS), 2)}",
          flush=True)


def ratios(speed, service, ways):
    """Per round, so that what disturbed a whole round disturbs both of its figures."""
    best = [max(values) for values in zip(*(speed[f"limit: {way}"] for way in ways))]
    return [ours / theirs for ours, theirs in zip(speed[service], best)]


def print_service(used, calls):
    show(
        "The service's process, start to end",
        ["", "wall s", "CPU s", "peak RSS MB"],
        [
            [
                name,
                spread([usage.wall_seconds for usage in usages], 2),
                spread([usage.cpu_seconds for usage in usages], 2),
                spread([usage.peak_mb for usage in usages]),
            ]
            for name, usages in used.items()
        ],
    )
    print(f"\n  carrier calls per sync: {spread(calls)}", flush=True)


# ---- latency: what waiting for the carrier costs -------------------------------------------------


def latency(bench, devices, rounds):
    del devices  # The targets name their own numbers.
    rows = []
    for title, fleet, wait, in_bulk in [
        ("bulk, 50 ms", 1_000, LATENCY_SECONDS, True),
        ("device by device, 50 ms, 20 at once", 1_000, LATENCY_SECONDS, False),
        ("device by device, no latency, no limit", 20_000, 0.0, False),
    ]:
        progress(title)
        with bench.service.carrier(devices=fleet, latency=f"{wait * 1000:.0f}ms") as carrier:
            database = bench.postgres(f"latency_{len(rows)}")
            bench.service.connect(database, carrier, in_bulk=in_bulk)
            seconds, calls, cpu = [], 0, []
            for number in range(rounds + 1):
                before = carrier.calls()
                usage, [report] = bench.service.once(database)
                calls = carrier.calls() - before
                if number > 0:
                    seconds.append(report["elapsed_ms"] / 1000)
                    cpu.append(usage.cpu_seconds)
        devices_per_second = [fleet / taken for taken in seconds]
        if wait and in_bulk:
            # Usage and devices can be asked for at the same time, the pages of one only in turn.
            share = f"{median(seconds) / wait:.1f} round trips for {calls} calls"
        elif wait:
            share = f"{100 * median(devices_per_second) * wait / 20:.0f} % of 20 / 50 ms"
        else:
            share = ""
        rows.append([title, f"{fleet:,}", calls, spread(seconds, 3), spread(devices_per_second),
                     spread(cpu, 2), share])
    show("A carrier that takes its time",
         ["", "devices", "calls", "elapsed s", "devices/s", "CPU s", "share of what is possible"], rows)


# ---- memory and curve: what grows with the fleet ------------------------------------------------


def fleet_sizes(bench, sizes, rounds):
    """A sync of one account of each size: its usage and its report, of the round in the middle."""
    measured = []
    for devices in sizes:
        progress(f"{devices:,} devices")
        with bench.service.carrier(devices=devices) as carrier:
            database = bench.postgres(f"fleet_{devices}")
            bench.service.connect(database, carrier)
            runs = []
            for _ in range(rounds):
                (usage, [report]), _ = database.measured(devices, lambda: bench.service.once(database))
                runs.append((usage, report))
        runs.sort(key=lambda run: run[1]["elapsed_ms"])
        measured.append((devices, *runs[len(runs) // 2]))
    show(
        f"One account, the middle one of {rounds} syncs",
        ["devices", "devices/s", "elapsed s", "CPU s", "CPU s per 100k", "peak RSS MB"],
        [
            [
                f"{devices:,}",
                f"{devices * 1000 / max(report['elapsed_ms'], 1):,.0f}",
                f"{report['elapsed_ms'] / 1000:.2f}",
                f"{usage.cpu_seconds:.2f}",
                f"{usage.cpu_seconds * 100_000 / devices:.2f}",
                f"{usage.peak_mb:.1f}",
            ]
            for devices, usage, report in measured
        ],
    )
    return measured


def memory(bench, devices, rounds):
    del devices
    (small, at_small, _), (large, at_large, _) = fleet_sizes(bench, [100_000, 1_000_000], min(rounds, 3))
    per_device = (at_large.peak_mb - at_small.peak_mb) * 1024 * 1024 / (large - small)
    print(f"\n  {per_device:.0f} bytes per further device")


def curve(bench, devices, rounds):
    del devices
    fleet_sizes(bench, [1_000, 10_000, 100_000, 1_000_000], min(rounds, 3))
    many.once(bench, [1, 10, 100, 1_000, 10_000])


def run(bench, devices, rounds):
    del devices, rounds
    many.run(bench, 10_000)


def processes(bench, devices, rounds):
    del devices, rounds
    many.processes(bench, 2_000, [1, 2, 4])


def status(bench, devices, rounds):
    served.fleet(bench, bench.fleet_program, 10_000, rounds)
    served.sync(bench, bench.postgres("status_sync"), devices, rounds)
    served.sync(bench, bench.sqlite("status_sync"), devices, rounds)
    served.idle(bench, 1_000, min(rounds, 3))


if __name__ == "__main__":
    program, limit_program, fleet_program, command, devices, rounds = sys.argv[1:]
    commands = {"compare": compare, "latency": latency, "memory": memory, "curve": curve, "run": run,
                "processes": processes, "status": status}
    commands[command](Bench(program, limit_program, fleet_program), int(devices), int(rounds))
