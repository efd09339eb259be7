"""The programs under measurement: the simulated carrier, the service, the limit; what each consumed."""

import http.client
import json
import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Usage:
    """What one process consumed from its start to its end."""

    wall_seconds: float
    cpu_seconds: float
    peak_mb: float
    stdout: str


def consume(command, environment, log):
    """Runs a program to its end. `ru_maxrss` is never below this interpreter's own 15 MB or so."""
    with open(log, "ab") as stderr:
        begun = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=stderr)
        stdout = process.stdout.read().decode()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        tail = Path(log).read_text(errors="replace")[-2000:]
        raise SystemExit(f"{' '.join(command[:3])} ended with {process.returncode}\n{stdout[-2000:]}\n{tail}")
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, stdout)


class Carrier:
    """A running simulator."""

    def __init__(self, origin):
        self.base_url = f"{origin}/api/1"
        self._address = origin.removeprefix("http://")

    def get(self, path):
        connection = http.client.HTTPConnection(self._address)
        connection.request("GET", path)
        return connection.getresponse().read().decode()

    def devices_csv(self, organisation):
        return self.get(f"/sim/devices.csv?orgid={organisation}")

    def calls(self):
        return json.loads(self.get("/sim/calls"))["total"]


class Service:
    """`carrier-sync`, its settings, and a folder for its files."""

    def __init__(self, program, home):
        self.program, self.home = program, Path(home)
        self.log = self.home / "service.log"
        self.written = 0

    @contextmanager
    def carrier(self, *, devices, accounts=1, latency="0ms"):
        """A simulator in a process of its own, so that its CPU is not counted as the service's."""
        output = self.home / "simulator.log"
        command = [self.program, "simulate", "--listen", "127.0.0.1:0", "--devices", str(devices),
                   "--accounts", str(accounts), "--latency", latency, "--max-device-page", "1000"]
        with open(output, "wb") as stdout:
            process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.STDOUT)
        try:
            yield Carrier(self._origin(process, output))
        finally:
            process.terminate()
            process.wait()

    @staticmethod
    def _origin(process, output):
        while process.poll() is None:
            said = re.search(r"API +(http://[^/]+)/api/1\n", output.read_text())
            if said:
                return said.group(1)
            time.sleep(0.02)
        raise SystemExit(f"the simulator did not start:\n{output.read_text()}")

    def settings(self, **changed):
        """A settings file: limits out of the way, pages of 1,000 and 5,000; `section__key=value`."""
        values = {
            "http.allow_private_hosts": True,
            "status.listen": "off",
            "carriers.hologram.requests_per_second": 1_000_000.0,
            "carriers.hologram.burst": 1_000_000,
            "carriers.hologram.max_concurrency": 20,
            "carriers.hologram.host_requests_per_second": 1_000_000.0,
            "carriers.hologram.host_burst": 1_000_000,
            "carriers.hologram.device_page_size": 1000,
            "carriers.hologram.usage_page_size": 5000,
            "carriers.hologram.max_pages": 10_000,
            "carriers.hologram.max_calls_per_sync": 10_000_000,
            "carriers.hologram.max_fallback_calls": 10_000_000,
        }
        values.update({key.replace("__", "."): value for key, value in changed.items()})
        # A file for each: a program that is starting must not find another's half written.
        self.written += 1
        path = self.home / f"settings-{self.written}.toml"
        # JSON's texts, numbers and truth values are TOML's as well.
        path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
        return path

    def call(self, database_url, *arguments, settings=None, **environment):
        settings = settings or self.settings()
        variables = {**os.environ, **environment, "DATABASE_URL": database_url}
        command = [self.program, "--config", str(settings), *arguments]
        return consume(command, variables, self.log)

    def connect(self, database, carrier, *, integration="main", in_bulk=True):
        """Schema, one integration of the simulator's first organisation, and all of its devices."""
        role = ["--service-role", database.service_role] if database.service_role else []
        self.call(database.owner_url, "migrate", *role)
        account = ["--account-id", "1001"] if in_bulk else []
        self.call(database.owner_url, "integrations", "add", "--id", integration, "--tenant", "acme",
                  "--carrier", "hologram", "--base-url", carrier.base_url, *account,
                  CARRIER_SYNC_API_KEY="simulated-key-1001")
        csv = self.home / "devices.csv"
        csv.write_text(carrier.devices_csv(1001))
        self.call(database.owner_url, "devices", "import", str(csv), "--integration", integration)

    def once(self, database, **changed):
        """One `once --json`: what the process consumed, and its reports."""
        used = self.call(database.service_url, "once", "--json", settings=self.settings(**changed))
        reports = [json.loads(line) for line in used.stdout.splitlines()]
        for report in reports:
            if report["status"] != "success":
                raise SystemExit(f"a sync was no success: {report}")
        return used, reports

    @contextmanager
    def running(self, database, log, **changed):
        """`carrier-sync run`, its log in a file of JSON lines; ended as an operator would."""
        command = [self.program, "--config", str(self.settings(**changed)), "--log-format", "json", "run"]
        with open(log, "wb") as stderr:
            process = subprocess.Popen(command, stderr=stderr, stdout=subprocess.DEVNULL,
                                       env={**os.environ, "DATABASE_URL": database.service_url})
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def limit(program, database_url, way):
    """One run of `benches/limit`: how long it took for how many rows."""
    done = subprocess.run([program, database_url, "acme", way], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def cpu_seconds(pid):
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid):
    """The most memory a running process has held."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024


def resident_mb(pid):
    """The memory a running process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024
