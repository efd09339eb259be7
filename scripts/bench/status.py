"""What the status server costs: to answer for 10,000 integrations, to the sync that runs meanwhile, and while nothing
is to be done."""

import json
import sqlite3
import subprocess
import time
from contextlib import ExitStack
from statistics import median

import many
from asking import Asker, Server, lines
from programs import cpu_seconds, peak_mb, resident_mb
from table import progress, show, spread

TOKEN = "bench-token-bench-token"
SERVED = {"status__listen": "127.0.0.1:0", "status__token": TOKEN, "log__level": "info"}
PATHS = ["/", "/metrics"]
PER_SECOND = 200
# What `benches/fleet.rs` tells, in this order.
LOOKS = ["rows, counts and board", "rows and board", "board, rows known", "first page found", "nothing found",
         "board copied", "posts, nobody looks", "posts, somebody looks"]
# As long as the page shows of a reason, and a little more.
TROUBLE = "the carrier answered 503 Service Unavailable to the listing of devices: " + "upstream <timed> & out; " * 16


def fleet(bench, program, accounts, rounds):
    """Snapshot and page of so many integrations, half of them in trouble."""
    with bench.service.carrier(devices=many.DEVICES_EACH, accounts=accounts) as carrier:
        database = bench.postgres("status_fleet")
        many.connect(bench, database, carrier, accounts, minutes=600)
    # Nothing is due: the rows say that every account was synced just now, and that some devices were not read. A sync
    # that failed as a whole would be repeated soon after the start, and its cost be taken for the page's.
    database.sql(
        "UPDATE carrier_integrations SET last_sync_at = now(), last_success_at = now(),"
        " last_sync_status = 'success', display_name = 'Pumps and meters of ' || tenant_id",
        "UPDATE carrier_integrations SET last_sync_status = 'partial', last_sync_error ="
        f" '{TROUBLE}' WHERE right(id, 1)::int % 2 = 0",
        "UPDATE device_connections SET data_used_updated_at = now(), data_used_bytes = 1",
        "VACUUM ANALYZE",
    )
    snapshots(program, database, bench.sqlite("status_fleet"), bench, rounds)
    pages(bench, database, accounts, rounds)


def snapshots(program, postgres, sqlite, bench, rounds):
    copy(bench, postgres, sqlite)
    columns = []
    for name, database in [("Postgres", postgres), ("SQLite", sqlite)]:
        progress(f"snapshots, {name}")
        done = subprocess.run([program, database.service_url, str(rounds)], check=True,
                              capture_output=True, text=True)
        columns.append(json.loads(done.stdout))
    numbers = {column.pop("integrations") for column in columns}
    show(
        f"Snapshot of {numbers.pop():,} integrations, {rounds} times, ms",
        ["", "Postgres", "SQLite"],
        [[what, *(spread([1000 * it for it in column[what]], 2) for column in columns)] for what in LOOKS],
    )


def copy(bench, postgres, sqlite):
    """The same rows in a SQLite file."""
    bench.service.call(sqlite.owner_url, "migrate")
    time_text = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    integrations = ["id", "tenant_id", "carrier_name", "display_name", "api_key", "api_base_url", "account_id",
                    "sync_interval_minutes", "last_sync_status", "last_sync_error", "last_sync_at",
                    "last_success_at"]
    devices = ["tenant_id", "device_id", "carrier_integration_id", "carrier_device_id", "data_used_bytes",
               "data_used_updated_at"]
    file = sqlite3.connect(sqlite.owner_url.removeprefix("sqlite://"))
    for table, names in [("carrier_integrations", integrations), ("device_connections", devices)]:
        asked = [time_text.format(name) if name.endswith("_at") else name for name in names]
        rows = postgres.sql(f"SELECT {', '.join(asked)} FROM {table}")
        file.executemany(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
            [[value or None for value in row] for row in rows],
        )
    file.commit()
    file.close()


def pages(bench, database, accounts, rounds):
    """The running program's answers over a new connection each."""
    log = bench.home / "status.log"
    taken, sizes = {}, {}

    def look(when, path):
        milliseconds, size = server.first_byte(path)
        taken.setdefault((path, when), []).append(milliseconds)
        sizes.setdefault(path, []).append(size)

    for _ in range(rounds):
        progress(f"pages of {accounts:,} integrations")
        with bench.service.running(database, log, **SERVED) as pid:
            server = Server(log, TOKEN)
            look("first one after the start", "/")
            until(lambda: server.totals()["by_state"]["elsewhere"] == 0)
            for path in PATHS:
                time.sleep(12)
                look("devices are counted anew", path)
                for _ in range(4):
                    time.sleep(2.1)
                    look("rows are read anew", path)
                for _ in range(50):
                    look("nothing is", path)
            totals = server.totals()
            resident, peak = resident_mb(pid), peak_mb(pid)
    troubled = sum(totals["by_attention"][word] for word in ["broken", "failing", "partial", "late"])
    show(
        f"Pages of {totals['integrations']:,} integrations, {troubled:,} in trouble, {rounds} starts",
        ["", "asked", "ms to the first byte", "kB"],
        [[f"{path}: {when}", len(values), spread(values, 1), spread([size / 1000 for size in sizes[path]])]
         for (path, when), values in taken.items()],
    )
    print(f"\n  memory of the process: {resident:.0f} MB, at most {peak:.0f} MB", flush=True)


def sync(bench, database, devices, rounds):
    """Syncs alone, asked, and while another process is asked the same, so often, forth and back."""
    with bench.service.carrier(devices=devices) as carrier, ExitStack() as stack:
        other = bench.postgres("status_other") if database.service_role else bench.sqlite("status_other")
        servers = {}
        for name, used in [("main", database), ("other", other)]:
            bench.service.connect(used, carrier)
            log = bench.home / f"status_{name}.log"
            stack.enter_context(bench.service.running(used, log, supervisor__start_spread="0s", **SERVED))
            servers[name] = Server(log, TOKEN), log
            until(lambda: len(list(lines(log, "sync ended"))) == 1)
        ways = {"alone": None, "asked": servers["main"][0], "another is asked": servers["other"][0]}
        seconds, askers = {way: [] for way in ways}, {way: [] for way in ways}
        for number in range(rounds + 1):
            progress(f"{kind(database)}: syncs while somebody asks, round {number} of {rounds}")
            for way in [*ways, *reversed(ways)]:
                taken, asker = one_sync(database, *servers["main"], ways[way])
                if number == 0:
                    continue
                seconds[way].append(taken)
                askers[way] += [asker] if asker else []
    show_syncs(f"{kind(database)}, a sync of {devices:,} devices, {rounds} rounds forth and back after one to warm up",
               seconds, askers)


def one_sync(database, server, log, asked):
    """How long a sync took by its own word, and who asked meanwhile, from a second before."""
    if database.service_role:
        database.rest()
    size = log.stat().st_size
    with ExitStack() as stack:
        asker = asked and stack.enter_context(Asker(asked, PATHS, PER_SECOND))
        # Without an asker too: what the rest before it left behind is the same for all.
        time.sleep(1)
        status, body = server.ask("/api/v1/integrations/main/sync", "POST")
        if status != 202:
            raise SystemExit(f"a sync could not be asked for: {status} {body}")
        until(lambda: any(lines(log, "sync ended", size)))
    [said] = lines(log, "sync ended", size)
    if said["outcome"] != "success":
        raise SystemExit(f"a sync was no success: {said}")
    return said["elapsed_ms"] / 1000, asker


def show_syncs(title, seconds, askers):
    # Each against the one of the same half of the same round, so that what disturbs the machine disturbs both.
    ratios = {way: [ours / alone for ours, alone in zip(values, seconds["alone"])] for way, values in seconds.items()}
    both = [asked / another for asked, another in zip(seconds["asked"], seconds["another is asked"])]

    def of_askers(way, figure, digits):
        return spread([figure(asker) for asker in askers[way]], digits) if askers[way] else "–"

    show(
        title,
        ["", "s", "÷ alone", "answers/s", "median answer ms", "asker's CPU %"],
        [
            [way, spread(values, 3), spread(ratios[way], 3),
             of_askers(way, lambda asker: asker.per_second, 0),
             of_askers(way, lambda asker: asker.median_ms, 2),
             of_askers(way, lambda asker: 100 * asker.cpu_seconds / asker.seconds, 1)]
            for way, values in seconds.items()
        ],
    )
    alone = median(seconds["alone"])
    print(f"\n  of the medians: asked / alone {median(seconds['asked']) / alone:.3f},"
          f" another is asked / alone {median(seconds['another is asked']) / alone:.3f}")
    print(f"  asked / another is asked, by pairs: {spread(both, 3)}", flush=True)


def idle(bench, accounts, minutes):
    """A service that has nothing to do for an hour: alone, and looked at as a person and a Prometheus do."""
    with bench.service.carrier(devices=many.DEVICES_EACH, accounts=accounts) as carrier:
        database = bench.postgres("status_idle")
        many.connect(bench, database, carrier, accounts, minutes=60)
        bench.service.once(database)
    log = bench.home / "idle.log"
    rows = []
    with bench.service.running(database, log, **SERVED) as pid:
        server = Server(log, TOKEN)
        until(lambda: server.totals()["by_state"]["idle"] == accounts)
        time.sleep(30)
        size = log.stat().st_size
        for what, looks in [("nobody looks", []), ("a page is open, metrics are scraped", [("/", 5), ("/metrics", 15)])]:
            used = []
            for number in range(minutes):
                progress(f"idle, {what}, minute {number + 1} of {minutes}")
                before, begun = cpu_seconds(pid), time.monotonic()
                for second in range(60):
                    for path, every in looks:
                        if second % every == 0:
                            server.first_byte(path)
                    time.sleep(max(0, begun + second + 1 - time.monotonic()))
                used.append(100 * (cpu_seconds(pid) - before) / (time.monotonic() - begun))
            rows.append([what, spread(used, 2), f"{resident_mb(pid):.0f}", f"{peak_mb(pid):.0f}"])
        syncs = len(list(lines(log, "sync ended", size)))
    show(
        f"{accounts:,} integrations of {many.DEVICES_EACH} devices, synced, every hour; {minutes} minutes each,"
        f" {syncs} syncs in them",
        ["", "CPU, % of a core", "RSS MB", "peak RSS MB"],
        rows,
    )


def kind(database):
    return "Postgres" if database.service_role else "SQLite"


def until(is_so):
    for _ in range(30_000):
        if is_so():
            return
        time.sleep(0.02)
    raise SystemExit("what was waited for has not come within ten minutes")
