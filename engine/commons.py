"""What all jobs share, and what one is given of it.

One transport, one limiter, one window per host, two pools of threads and one list
of the names that are taken serve all jobs. A job's spec says what it is given: a
source for its URLs, and a delivery to a file, to a reader or to a command.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import localtime, monotonic

from engine.config import Config
from engine.cookie_file import read_cookie_file
from engine.cookies import Cookies
from engine.credentials import NO_NETRC, credentials_of, read_netrc
from engine.delivery import Delivery, FileDelivery, StreamDelivery
from engine.disk import Disk
from engine.files import FileSink
from engine.job import Job
from engine.journal import Link
from engine.ledger import Ledger
from engine.limiter import Limiter
from engine.model import JobSpec, Pieces, Promise
from engine.piping import PipeDelivery
from engine.places import Places
from engine.search import Search
from engine.sinks import StreamSink
from engine.source import Source
from engine.timetable import Timetable
from engine.transport import Transport
from engine.verify import Verifier
from engine.window import Window

THREADS = 2


class Commons:
    """Shared by the jobs of one engine, which enters and leaves the transport."""

    def __init__(self, config: Config, ledger: Ledger | None) -> None:
        self.limiter = Limiter()
        self.set_limit(config.timetable)
        self.transport = Transport(
            browser=config.browser,
            cacert=str(config.cacert) if config.cacert else None,
            insecure=config.insecure,
            connect_timeout=config.connect_timeout,
            stall_timeout=config.stall_timeout,
            proxy=config.proxy,
        )
        self._netrc = read_netrc(config.netrc) if config.netrc else NO_NETRC
        given = config.cookies
        self._cookies = Cookies(read_cookie_file(given)) if given else None
        """One for all jobs: who is logged in, is so for each file."""
        self._config = config
        self._ledger = ledger
        self._windows: dict[str, Window] = {}
        self._places = Places()
        self.disk = Disk()
        self.search = Search() if config.verify else None
        """Where digests are looked for that nobody has told us."""
        self.pool = ThreadPoolExecutor(THREADS, "hydra-compute")

    def close(self) -> None:
        """Wait for nobody: what a thread is at, it may finish."""
        self.limiter.close()
        self.disk.close()
        if self._ledger is not None:
            self._ledger.close()
        self.pool.shutdown(wait=False, cancel_futures=True)

    # -- the limit -------------------------------------------------------------

    def set_limit(self, limit: float | Timetable | None) -> None:
        """A timetable, or a rate that holds until the timetable has another."""
        if isinstance(limit, Timetable):
            self._timetable, self._scheduled = limit, limit.at(_minute())
            limit = self._scheduled
        self.limiter.rate = limit

    def keep_time(self) -> None:
        """Let the timetable have its way when its hour has come."""
        rate = self._timetable.at(_minute())
        if rate != self._scheduled:
            self.set_limit(self._timetable)

    # -- windows ---------------------------------------------------------------

    def window_of(self, host: str) -> Window:
        """The one that all jobs on this host share."""
        if host not in self._windows:
            self._windows[host] = Window(host, monotonic())
        return self._windows[host]

    @property
    def flying(self) -> int:
        """How many lanes are in the air, to all hosts."""
        return sum(window.flying for window in self._windows.values())

    def judge(self, now: float) -> None:
        """Let each window decide what its interval was worth."""
        for window in self._windows.values():
            window.judge(now)

    # -- what a job is given -----------------------------------------------------

    def source(self, url: str, spec: JobSpec, limiter: Limiter) -> Source:
        """Asks for a URL with what is private about it, given for all or for this one."""
        headers = (*self._config.headers, *spec.headers)
        user, given_for = self._config.user, spec.given_for or url
        credentials = credentials_of(given_for, headers, user, self._netrc)
        if given_for != url:
            credentials = credentials.knowing(url)
        return Source(self.transport, limiter, url, credentials, self._cookies)

    def delivery(self, job: Job, stream: StreamSink | None) -> Delivery:
        """To `stream` where there is one, else to a command or a file, as typed."""
        spec = job.spec
        is_file = stream is None and spec.command is None
        verifier = self._verifier(spec, spec.pieces if is_file else None)
        if stream is not None:
            return StreamDelivery(stream, verifier)
        if job.spec.command is not None:
            return self._to_command(job, job.spec.command, verifier)
        return self._to_file(job, verifier)

    def _verifier(self, spec: JobSpec, pieces: Pieces | None) -> Verifier | None:
        """With what was promised before anybody was asked."""
        promises = spec.promises
        if spec.checksum is not None:
            promises = (Promise(spec.checksum, "--checksum"),)
        if not (self._config.verify or promises or pieces):
            return None
        return Verifier(self.pool, promises, pieces)

    def _to_command(
        self, job: Job, command: str, verifier: Verifier | None
    ) -> PipeDelivery:
        pipe = PipeDelivery(
            StreamSink(self._config.buffer),
            verifier,
            command=command,
            directory=self._config.directory_of(job.spec),
            url=job.spec.url,
            name=job.spec.name,
        )
        pipe.on_said = job.tell_said
        return pipe

    def _to_file(self, job: Job, verifier: Verifier | None) -> FileDelivery:
        link = Link.of(job.began)
        file = FileSink(
            self._config.directory_of(job.spec),
            link,
            self._places,
            self.disk,
            self._config.on_conflict,
        )
        restart = self._config.restart and job.is_new
        return FileDelivery(
            file,
            verifier,
            url=link.url,
            ledger=self._ledger,
            name=job.spec.name,
            restart=restart,
        )


def _minute() -> int:
    """Of the local day."""
    now = localtime()
    return now.tm_hour * 60 + now.tm_min
