"""Many small accounts, each of a tenant of its own, in one process."""

import io
import json
import time
from contextlib import ExitStack

from programs import cpu_seconds, peak_mb
from table import progress, show

DEVICES_EACH = 10
FIRST_ORGANISATION = 1001


def connect(bench, database, carrier, accounts, minutes):
    """As `Service.connect`, for accounts by the thousand: the rows are copied in, with the columns that
    `integrations add` and `devices import` fill."""
    bench.service.call(database.owner_url, "migrate", "--service-role", database.service_role)
    integrations, devices = io.StringIO(), io.StringIO()
    for organisation in range(FIRST_ORGANISATION, FIRST_ORGANISATION + accounts):
        tenant, integration = f"tenant-{organisation}", f"account-{organisation}"
        print(integration, tenant, "hologram", f"simulated-key-{organisation}", carrier.base_url,
              organisation, minutes, sep="\t", file=integrations)
        for line in carrier.devices_csv(organisation).splitlines()[1:]:
            device, at_carrier = line.split(",")
            print(tenant, device, integration, at_carrier, sep="\t", file=devices)
    database.sql(
        "COPY carrier_integrations (id, tenant_id, carrier_name, api_key, api_base_url, account_id,"
        " sync_interval_minutes) FROM STDIN",
        stdin=integrations.getvalue(),
    )
    database.sql(
        "COPY device_connections (tenant_id, device_id, carrier_integration_id, carrier_device_id)"
        " FROM STDIN",
        stdin=devices.getvalue(),
    )
    database.sql("INSERT INTO tenants (tenant_id) SELECT tenant_id FROM carrier_integrations",
                 "ANALYZE")


def once(bench, sizes):
    """All accounts in one `once`."""
    rows = []
    for accounts in sizes:
        progress(f"{accounts:,} accounts")
        with bench.service.carrier(devices=DEVICES_EACH, accounts=accounts) as carrier:
            database = bench.postgres(f"accounts_{accounts}")
            connect(bench, database, carrier, accounts, minutes=60)
            bench.service.once(database)
            before = carrier.calls()
            (usage, reports), cost = database.measured(
                accounts * DEVICES_EACH, lambda: bench.service.once(database)
            )
            rows.append([
                f"{accounts:,}", f"{len(reports):,}", f"{usage.wall_seconds:.2f}",
                f"{usage.cpu_seconds:.2f}", f"{usage.peak_mb:.0f}", f"{carrier.calls() - before:,}",
                f"{cost.commits:,}", f"{cost.wal_bytes / 1e6:.1f}",
            ])
    show(
        f"Accounts of {DEVICES_EACH} devices, each of its own tenant, in one `once` (the second)",
        ["accounts", "synced", "wall s", "CPU s", "peak RSS MB", "calls", "transactions", "WAL MB"],
        rows,
    )


def run(bench, accounts):
    """All accounts in one `run`: first with work every minute, then with none for an hour."""
    with bench.service.carrier(devices=DEVICES_EACH, accounts=accounts) as carrier:
        database = bench.postgres("run")
        connect(bench, database, carrier, accounts, minutes=1)
        log = bench.home / "run.log"
        progress("four minutes of work, the last two counted")
        # Two minutes to reach the steady state, two to look at.
        with bench.service.running(database, log, log__level="info", supervisor__start_spread="1m") as pid:
            time.sleep(120)
            warmed_up, cpu_before = log.stat().st_size, cpu_seconds(pid)
            time.sleep(120)
            busy = (cpu_seconds(pid) - cpu_before) / 120
            peak = peak_mb(pid)
        late, ended = lateness(log, warmed_up)
        progress("a minute and a half of nothing due")
        # Nothing is due: every account was synced just now and wants to be in 10 hours.
        database.sql("UPDATE carrier_integrations SET sync_interval_minutes = 600, last_sync_at = now()")
        with bench.service.running(database, log, log__level="warn") as pid:
            time.sleep(20)
            cpu_before = cpu_seconds(pid)
            time.sleep(60)
            idle = (cpu_seconds(pid) - cpu_before) / 60
            idle_peak = peak_mb(pid)
    show(
        f"{accounts:,} accounts of {DEVICES_EACH} devices in one `run`",
        ["", "figure"],
        [
            ["syncs ended in two minutes", f"{ended:,}"],
            ["start late, p50", late(50)],
            ["start late, p99", late(99)],
            ["start late, most", late(100)],
            ["CPU, interval 1 min", f"{100 * busy:.1f} % of a core"],
            ["peak RSS", f"{peak:.0f} MB"],
            ["CPU, nothing due", f"{100 * idle:.2f} % of a core"],
            ["peak RSS, nothing due", f"{idle_peak:.0f} MB"],
        ],
    )


def processes(bench, accounts, numbers):
    """All accounts shared by so many `run` on one database, each with work every minute."""
    rows = []
    for number in numbers:
        progress(f"{number} processes, two minutes")
        with bench.service.carrier(devices=DEVICES_EACH, accounts=accounts) as carrier, ExitStack() as stack:
            database = bench.postgres(f"processes_{number}")
            connect(bench, database, carrier, accounts, minutes=1)
            logs = [bench.home / f"run_{number}_{place}.log" for place in range(number)]
            pids = [
                stack.enter_context(bench.service.running(
                    database, log, log__level="info", supervisor__start_spread="30s",
                    leases__heartbeat="1s", leases__duration="6s"))
                for log in logs
            ]
            time.sleep(45)
            warmed_up = [log.stat().st_size for log in logs]
            cpu_before = [cpu_seconds(pid) for pid in pids]
            time.sleep(60)
            cpu = [cpu_seconds(pid) - before for pid, before in zip(pids, cpu_before)]
            peaks = [peak_mb(pid) for pid in pids]
            owned = database.sql("SELECT count(*) FROM carrier_integrations GROUP BY lease_owner ORDER BY 1")
        looks = [lateness(log, at) for log, at in zip(logs, warmed_up)]
        rows.append([
            number, ", ".join(count for [count] in owned), f"{sum(ended for _, ended in looks):,}",
            ", ".join(late(99) for late, _ in looks),
            f"{100 * sum(cpu) / 60:.1f} %", f"{max(peaks):.0f}",
        ])
    show(
        f"{accounts:,} accounts of {DEVICES_EACH} devices, shared, synced every minute",
        ["processes", "accounts of each", "syncs in a minute", "start late, p99 of each", "CPU of all, of a core",
         "peak RSS MB of one"],
        rows,
    )


def lateness(log, from_byte):
    """How much later than due the syncs began, by percentile, from the lines `sync ended`."""
    late, ended = [], 0
    with open(log, "rb") as lines:
        lines.seek(from_byte)
        for line in lines:
            if b"sync ended" not in line:
                continue
            ended += 1
            try:
                said = json.loads(line)
            except ValueError:  # The line in which the seek landed.
                continue
            said = said.get("fields", said)
            if "start_late_ms" in said:
                late.append(int(said["start_late_ms"]))
    late.sort()

    def percentile(percent):
        if not late:
            return "not in the log"
        return f"{late[min(len(late) - 1, len(late) * percent // 100)]:,} ms"

    return percentile, ended
