"""The provider's log export, which lists the messages that the provider received. Read-only; nothing here sends.

An export is a job: start it, ask until it is done, then download its CSV files from the links in the answer. The API
key is sent only to the provider's own origin, because a link may lead to another company's storage service.
"""

import asyncio
import csv
import io
import shutil
import tempfile
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any, NamedTuple
from urllib.parse import quote, urljoin

import orjson
from yarl import URL

from runner.base.errors import BlockedError, StoppedError
from runner.base.net import is_private
from runner.base.text import sanitized
from runner.provider.answer import REDIRECTS, http_date, status_text
from runner.provider.endpoint import Endpoint, is_local, is_safe
from runner.provider.http import NETWORK_ERRORS, HttpClient

CLOCK_TOLERANCE_S = 60.0
MAX_REDIRECTS = 3
# The provider's job IDs are UUIDs. A much longer one would not fit into a request.
MAX_JOB_ID_LENGTH = 200
# A million messages take about 300 MB.
MAX_DOWNLOAD_BYTES = 8 << 30
# One file has all messages, or a part of them.
MAX_LINKS = 1_000
# A row of the log has a few hundred bytes. A file without line breaks, or with all of them in quotes, must not fill the
# memory.
MAX_ROW_LENGTH = 1 << 20
# For one file, because a download that arrives byte by byte might never end.
DOWNLOAD_TIMEOUT_S = 3_600.0
NEEDED_COLUMNS = frozenset({"umid", "clientmessageid"})


class ExportJob(NamedTuple):
    """The state of an export. `links` is None until it is done, and empty if the log has no messages of that time."""

    status: str
    links: Sequence[str] | None = None


class LogExports(HttpClient):
    """Exports of one sub-account. An async context manager. All errors are StoppedError, with a text for people.

    `started_at` is when the newest export was started, by the provider's clock; None if its answer had no date.
    """

    def __init__(self, endpoint: Endpoint, api_key: str) -> None:
        super().__init__(endpoint, api_key, "log export")
        self._origin = URL(endpoint.base_url).origin()
        self._jobs = f"{endpoint.messages_url}/exports"
        self._answered_at: datetime | None = None
        self.started_at: datetime | None = None

    async def start(self, since: datetime, until: datetime) -> str:
        """Start an export of all messages between two aware times. Returns its job id."""
        start, end = (f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for moment in (since, until))
        answer = await self._ask("POST", self._jobs, orjson.dumps({"from": start, "to": end, "limit": 0}))
        job_id = answer.get("jobId")
        self.started_at = self._answered_at
        if not isinstance(job_id, str) or not 0 < len(job_id) <= MAX_JOB_ID_LENGTH:
            raise StoppedError("the provider's answer about the log export has no jobId; run the command again")
        return job_id

    async def look(self, job_id: str) -> ExportJob:
        """The state of the job. Raises StoppedError if the job has failed."""
        # Marked as encoded: otherwise yarl would resolve an id of `..` and leave the path.
        answer = await self._ask("GET", URL(f"{self._jobs}/{quote(job_id, safe='')}", encoded=True))
        status, links = answer.get("status"), answer.get("data")
        status = status.lower() if isinstance(status, str) else "missing"
        if status in ("queued", "running"):
            return ExportJob(status)
        if status == "empty":
            return ExportJob(status, [])
        if status != "succeeded":
            words = f"the provider's log export ended with the status {sanitized(status, 40)}"
            raise StoppedError(f"{words}; nothing was changed; run the command again")
        if not isinstance(links, list) or not links or not all(isinstance(link, str) for link in links):
            raise StoppedError("the log export succeeded but has no download links; run the command again")
        if len(links) > MAX_LINKS:
            raise BlockedError(f"the log export has {len(links):,} files; the maximum is {MAX_LINKS:,}")
        return ExportJob(status, links)

    async def entries(self, link: str) -> AsyncGenerator[dict[str, str], None]:
        """The rows of one CSV file, by lower-case column name. The whole file is downloaded first."""
        with tempfile.TemporaryFile() as file:
            await self._download(link, file)
            _check_end(file)
            file.seek(0)
            with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
                for row in _rows(text):
                    yield row

    async def _ask(self, method: str, url: str | URL, body: bytes | None = None) -> Mapping[str, Any]:
        answer = await self.ask(method, url, body=body)
        self._answered_at = _check_clock(answer.headers.get("Date"))
        if method == "GET" and answer.status == 404:  # the next command starts another export
            words = f"the provider no longer has the log export: {status_text(404)}"
            raise StoppedError(f"{words}; nothing was changed; run the command again")
        document = self.demand(answer).document
        if not document:
            what = "the provider's answer about the log export is not a JSON object"
            raise BlockedError(f"{what}; check account.region and EIGHTXEIGHT_BASE_URL")
        return document

    async def _download(self, link: str, file: IO[bytes], redirects: int = MAX_REDIRECTS) -> None:
        try:
            url = URL(link, encoded=True)  # unchanged, because it may be signed
            is_followed = is_safe(link)
        except ValueError:
            raise BlockedError("the download link of the log export is not a URL") from None
        if not is_followed:
            words = f"the download link of the log export leads to {url.host or link!r} without encryption"
            raise BlockedError(f"{words}, so nothing was downloaded")
        # A link must not reach services inside this network, which trust this computer.
        if url.host != self._origin.host and not is_local(str(self._origin)) and is_private(url.host):
            words = f"the download link of the log export leads to {url.host}, an address in a private network"
            raise BlockedError(f"{words}, so nothing was downloaded")
        # Not compressed, because a few megabytes could become gigabytes. A server may compress all the same.
        headers = {"Accept-Encoding": "identity"} | (self._key if url.origin() == self._origin else {})
        half_of_the_disk = shutil.disk_usage(tempfile.gettempdir()).free // 2
        try:
            async with (
                asyncio.timeout(DOWNLOAD_TIMEOUT_S),
                self.session(url).get(url, headers=headers, allow_redirects=False) as response,
            ):
                location = response.headers.get("Location")
                if response.status in REDIRECTS and location and redirects:
                    # One redirect at a time: each origin is checked before anything, above all the key, goes there.
                    try:
                        target = urljoin(link, location)
                    except ValueError:
                        raise BlockedError("the download of the log export was redirected to an invalid URL") from None
                    await self._download(target, file, redirects - 1)
                    return
                if response.status != 200:
                    expired = "it may have expired; " if response.status in (401, 403, 404, 410) else ""
                    words = f"the download link of the log export answered HTTP {response.status}"
                    raise StoppedError(f"{words}; {expired}run the command again")
                encoding = response.headers.get("Transfer-Encoding", "").lower()
                if response.content_length is None and encoding != "chunked":
                    raise StoppedError("the log export has no length, so it may be incomplete; run the command again")
                async for chunk in response.content.iter_any():
                    size = file.tell() + len(chunk)
                    if size > min(MAX_DOWNLOAD_BYTES, half_of_the_disk):
                        response.close()
                        words = f"more than {MAX_DOWNLOAD_BYTES >> 30} GB"
                        if size > half_of_the_disk:  # a run may be writing its ledger to the same one
                            words = f"more than half of the free space in {tempfile.gettempdir()}"
                        raise BlockedError(f"the log export is too large ({words}), so nothing was changed")
                    file.write(chunk)
        except NETWORK_ERRORS as error:
            why = self.error_text(error, url)
            raise StoppedError(f"the download of the log export failed: {why}; run the command again") from error


def _check_end(file: IO[bytes]) -> None:
    """A CSV file must end with a line break. One that doesn't, or is empty, was cut off before it was stored."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - 1, 0))
    if file.read(1) != b"\n":
        raise StoppedError("the log export is cut off or empty; nothing was changed; run the command again")


def _check_clock(date: str | None) -> datetime | None:
    """The provider's time, if its answer has one. It must agree with this computer's clock.

    The export's time span uses this computer's clock, the provider's log the provider's.
    """
    ours, theirs = datetime.now(UTC), http_date(date)
    if theirs is not None and abs((ours - theirs).total_seconds()) > CLOCK_TOLERANCE_S:
        raise BlockedError(
            f"this computer's clock says {ours:%Y-%m-%d %H:%M:%S} UTC, but the provider's clock says "
            f"{theirs:%Y-%m-%d %H:%M:%S} UTC, so the wrong part of its log would be searched; nothing was changed; set "
            "this computer's clock"
        )
    return theirs


def _rows(text: IO[str]) -> Iterator[dict[str, str]]:
    """The rows of a CSV file. Raises StoppedError if a needed column is missing or a row is incomplete or too long."""
    length = 0

    def lines() -> Iterator[str]:
        nonlocal length
        while line := text.readline(MAX_ROW_LENGTH):
            length += len(line)
            if length >= MAX_ROW_LENGTH:
                words = f"the log export is damaged in line {reader.line_num + 1} (its row is too long)"
                raise StoppedError(f"{words}; run the command again")
            yield line

    reader = csv.reader(lines(), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if missing := NEEDED_COLUMNS - set(header):
            raise BlockedError(f"columns are missing in the log export: {', '.join(sorted(missing))}")
        for cells in reader:
            if len(cells) != len(header):
                raise StoppedError(f"the log export is damaged in line {reader.line_num}; run the command again")
            yield dict(zip(header, cells, strict=True))
            length = 0
    except (csv.Error, UnicodeDecodeError) as error:
        words = f"the log export is damaged in line {reader.line_num} ({error})"
        raise StoppedError(f"{words}; run the command again") from error
