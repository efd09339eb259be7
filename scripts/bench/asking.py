"""Whoever asks the status server of a running service: one question, or so many a second for a while."""

import json
import socket
import threading
import time
from http.client import HTTPConnection
from statistics import median


class Server:
    """Where a running service answers, as its log says."""

    def __init__(self, log, token):
        self.place, self.token = _served_at(log), token

    def ask(self, path, method="GET"):
        """The answer's status and body."""
        connection = HTTPConnection(self.place, timeout=30)
        connection.request(method, path, headers={"Authorization": f"Bearer {self.token}"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    def totals(self):
        return json.loads(self.ask("/api/v1/totals")[1])

    def first_byte(self, path):
        """Over a new connection: milliseconds until the first byte is there, and bytes of the whole answer, its
        head included."""
        with self._connect() as plug:
            begun = time.perf_counter()
            plug.sendall(self._question(path, "close"))
            answer = plug.recv(1 << 16)
            taken = time.perf_counter() - begun
            while more := plug.recv(1 << 16):
                answer += more
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"{path} was answered with {answer[:200]}")
        return taken * 1000, len(answer)

    def _connect(self):
        host, port = self.place.rsplit(":", 1)
        plug = socket.create_connection((host, int(port)), timeout=30)
        plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plug

    def _question(self, path, connection):
        return (f"GET {path} HTTP/1.1\r\nHost: {self.place}\r\nAccept: */*\r\n"
                f"Connection: {connection}\r\n\r\n").encode()


class Asker:
    """Asks some paths by turns, so many times a second, over one connection; a late answer does not lower the
    number, it is made up for. A thread of its own: `with Asker(...)`."""

    def __init__(self, server, paths, per_second):
        self.server, self.period = server, 1 / per_second
        self.questions = [server._question(path, "keep-alive") for path in paths]
        self.answered, self.milliseconds, self.cpu_seconds, self.seconds = 0, [], 0.0, 0.0
        self._is_over, self._failure = threading.Event(), None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()
        if self._failure:
            raise SystemExit(f"an answer was none: {self._failure}")

    @property
    def per_second(self):
        return self.answered / self.seconds

    @property
    def median_ms(self):
        return median(self.milliseconds)

    def _run(self):
        begun, cpu_before = time.perf_counter(), time.thread_time()
        try:
            with self.server._connect() as plug:
                self._ask_on(plug, begun)
        except (OSError, ValueError) as failure:
            self._failure = failure
        self.seconds = time.perf_counter() - begun
        self.cpu_seconds = time.thread_time() - cpu_before

    def _ask_on(self, plug, due):
        while not self._is_over.is_set():
            due += self.period
            if (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            asked = time.perf_counter()
            plug.sendall(self.questions[self.answered % len(self.questions)])
            _read_answer(plug)
            self.milliseconds.append((time.perf_counter() - asked) * 1000)
            self.answered += 1


def _read_answer(plug):
    answer = b""
    while (end := answer.find(b"\r\n\r\n")) < 0:
        answer += _some(plug)
    head = answer[:end].lower()
    if not head.startswith(b"http/1.1 200 "):
        raise ValueError(head[:200])
    missing = int(head.partition(b"content-length:")[2].split(b"\r\n")[0]) - (len(answer) - end - 4)
    while missing > 0:
        missing -= len(_some(plug))


def _some(plug):
    if received := plug.recv(1 << 18):
        return received
    raise ValueError("the connection was closed")


def _served_at(log):
    for _ in range(600):
        for said in lines(log, "the status is served"):
            return said["address"].removeprefix("http://")
        time.sleep(0.1)
    raise SystemExit(f"the service did not start:\n{log.read_text()[-2000:]}")


def lines(log, word, from_byte=0):
    """What a log of JSON lines says, in lines that hold this word."""
    with open(log, "rb") as file:
        file.seek(from_byte)
        for line in file.read().splitlines():
            if word.encode() not in line:
                continue
            try:
                said = json.loads(line)
            except ValueError:  # It is being written.
                continue
            yield said.get("fields", said)
