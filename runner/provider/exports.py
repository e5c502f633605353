"""The provider's log export: what it knows of the messages it received. Reading only; nothing here sends a message.

An export is a job: start it, ask until it is done, download its CSV files from the links it gives. The API key goes to
the provider's own origin alone, because a link may lead to a storage service of somebody else.
"""

import csv
import io
import tempfile
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any, NamedTuple
from urllib.parse import quote, urljoin

import orjson
from yarl import URL

from runner.base.errors import StoppedError
from runner.base.text import sanitized
from runner.provider.answer import REDIRECTS, http_date
from runner.provider.endpoint import Endpoint, is_safe
from runner.provider.http import NETWORK_ERRORS, HttpClient

CLOCK_TOLERANCE_S = 60.0
MAX_REDIRECTS = 3
NEEDED_COLUMNS = frozenset({"umid", "clientmessageid"})


class ExportJob(NamedTuple):
    """Where an export stands. `links` are None until it is done, and empty where the log has nothing of that time."""

    status: str
    links: Sequence[str] | None = None


class LogExports(HttpClient):
    """Exports of one sub-account. An async context manager. All errors are StoppedError, in words."""

    def __init__(self, endpoint: Endpoint, api_key: str) -> None:
        super().__init__(endpoint, api_key, "log export")
        self._origin = URL(endpoint.base_url).origin()
        self._jobs = f"{endpoint.messages_url}/exports"

    async def start(self, since: datetime, until: datetime) -> str:
        """Start an export of all messages between two aware times; returns its job id."""
        start, end = (f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for moment in (since, until))
        answer = await self._ask("POST", self._jobs, orjson.dumps({"from": start, "to": end, "limit": 0}))
        job_id = answer.get("jobId")
        if not isinstance(job_id, str) or not job_id:
            raise StoppedError("the provider's answer to the log export has no jobId")
        return job_id

    async def look(self, job_id: str) -> ExportJob:
        """Where the job stands. Raises StoppedError also for one that has failed."""
        answer = await self._ask("GET", f"{self._jobs}/{quote(job_id, safe='')}")
        status, links = str(answer.get("status")).lower(), answer.get("data")
        if status in ("queued", "running"):
            return ExportJob(status)
        if status == "empty":
            return ExportJob(status, [])
        if status != "succeeded":
            words = f"the provider's log export ended as {sanitized(status, 40)}"
            raise StoppedError(f"{words}; nothing was changed, try again")
        if not isinstance(links, list) or not links or not all(isinstance(link, str) for link in links):
            raise StoppedError("the log export has succeeded, but gives no links")
        return ExportJob(status, links)

    async def entries(self, link: str) -> AsyncGenerator[dict[str, str], None]:
        """The rows of one CSV file, by lower-case column name. It is downloaded whole before the first one comes."""
        with tempfile.TemporaryFile() as file:
            await self._download(link, file)
            _check_end(file)
            file.seek(0)
            with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
                for row in _rows(text):
                    yield row

    async def _ask(self, method: str, url: str, body: bytes | None = None) -> Mapping[str, Any]:
        answer = await self.ask(method, url, body=body)
        _check_clock(answer.headers.get("Date"))
        document = self.demand(answer).document
        if not document:
            raise StoppedError("the provider's answer to the log export is not a JSON object")
        return document

    async def _download(self, link: str, file: IO[bytes], redirects: int = MAX_REDIRECTS) -> None:
        try:
            url, is_followed = URL(link, encoded=True), is_safe(link)  # as it is: it may be signed
        except ValueError:
            raise StoppedError("the log export's link is no URL") from None
        if not is_followed:
            words = f"the log export's link leads to {url.host or link!r} without encryption; it isn't followed"
            raise StoppedError(words)
        headers = self._key if url.origin() == self._origin else {}
        try:
            async with self.session(url).get(url, headers=headers, allow_redirects=False) as response:
                location = response.headers.get("Location")
                if response.status in REDIRECTS and location and redirects:
                    # Step by step: each origin is checked before anything, above all the key, goes there.
                    await self._download(urljoin(link, location), file, redirects - 1)
                    return
                if response.status != 200:
                    again = "it may have expired: " if response.status in (401, 403, 404, 410) else ""
                    raise StoppedError(f"the log export's link answers HTTP {response.status}; {again}start again")
                encoding = response.headers.get("Transfer-Encoding", "").lower()
                if response.content_length is None and encoding != "chunked":
                    raise StoppedError("the log export comes without a length, so it can't be told whether it is whole")
                async for chunk in response.content.iter_any():
                    file.write(chunk)
        except NETWORK_ERRORS as error:
            why = self.in_words(error, url)
            raise StoppedError(f"the log export was cut off in the middle: {why}; start again") from error


def _check_end(file: IO[bytes]) -> None:
    """A CSV file ends with a line's end. One that doesn't, or is empty, was cut off before it was stored."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - 1, 0))
    if file.read(1) != b"\n":
        raise StoppedError(
            "the log export's last line is cut off, or the file is empty; nothing was changed, start again"
        )


def _check_clock(date: str | None) -> None:
    """The span of the export is told by this computer's clock and read by the provider's: they have to agree."""
    ours, theirs = datetime.now(UTC), http_date(date)
    if theirs is not None and abs((ours - theirs).total_seconds()) > CLOCK_TOLERANCE_S:
        raise StoppedError(
            f"this computer's clock says {ours:%Y-%m-%d %H:%M:%S} UTC and the provider's {theirs:%Y-%m-%d %H:%M:%S}; "
            "set the clock, or the log would be searched in the wrong span of time; nothing was changed"
        )


def _rows(text: IO[str]) -> Iterator[dict[str, str]]:
    """The rows of a CSV file; a file without the needed columns, or with a torn row, is refused whole."""
    reader = csv.reader(text, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if missing := NEEDED_COLUMNS - set(header):
            raise StoppedError(f"the log export has no column {', '.join(sorted(missing))}")
        for cells in reader:
            if len(cells) != len(header):
                raise StoppedError(f"the log export is cut off or broken at line {reader.line_num}; start again")
            yield dict(zip(header, cells, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise StoppedError(f"the log export is broken at line {reader.line_num}: {error}; start again") from error
