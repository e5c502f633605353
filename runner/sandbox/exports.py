"""The log export: start a job, ask for its status, download its files, cancel it.

The download links are signed and need no API key. They may have another origin, as the provider's links may. The
sandbox records any API key that arrives at that origin, because a client must not send one there.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import orjson
from aiohttp import hdrs, web

from runner.sandbox.answers import Code, RefusedError, json_response
from runner.sandbox.checks import moment_of
from runner.sandbox.delivery import created_at, csv_of, details_of, timestamp
from runner.sandbox.faults import Fault, FaultName, FaultSchedule, cut_off
from runner.sandbox.state import SandboxState, json_of, refuse_filters

LINKS_LAST = timedelta(days=30)
DEFAULT_PERIOD = timedelta(days=7)
EXPORTS = "/api/v1/subaccounts/{subAccountId}/messages/exports"
JOB = f"{EXPORTS}/{{jobId}}"
DOWNLOAD = "/api/v1/subaccounts/{subAccountId}/messages/download/{token}"

# yyyy-MM-dd, optionally with a time, which may have a Z or an offset. Fractions of a second aren't documented.
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})?)?")

# The last status of a job with this fault.
ENDS = {
    FaultName.EXPORT_FAILED: "failed",
    FaultName.EXPORT_CANCELLED: "cancelled",
    FaultName.EXPORT_ERROR: "error",
    FaultName.EXPORT_NEVER_ENDS: "running",
}


@dataclass(slots=True)
class Job:
    """One export. `files` are CSV files. `statuses` are the answers to status requests; the last one repeats."""

    sub_account_id: str
    files: list[bytes]
    statuses: list[str]
    fault: Fault | None

    def ask(self) -> str:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


class Exports:
    """The jobs. `origin` is the origin of the download links; None: the origin of the request."""

    def __init__(self, state: SandboxState, faults: FaultSchedule) -> None:
        self._state = state
        self._faults = faults
        self._started = 0
        self._jobs: dict[str, Job] = {}
        # By token of a link: the job and the number of the file.
        self._links: dict[str, tuple[Job, int]] = {}
        self.origin: str | None = None

    def routes(self) -> list[web.RouteDef]:
        jobs = [web.post(EXPORTS, self._start), web.get(JOB, self._show), web.delete(JOB, self._cancel)]
        return [*jobs, self.download_route()]

    def download_route(self) -> web.RouteDef:
        return web.get(DOWNLOAD, self._download, allow_head=False)

    async def _start(self, request: web.Request) -> web.StreamResponse:
        self._state.admit(request)
        now = datetime.now(UTC)
        start, end, limit = selection_of(await json_of(request, empty={}), now)
        self._started += 1
        fault = self._faults.of(self._started)
        if fault:
            self._state.stats.faults[fault.name.value] += 1
        job_id = secrets.token_urlsafe(48)
        if not fault or fault.name is not FaultName.EXPORT_JOB_LOST:
            options, sub_account_id = self._state.options, request.match_info["subAccountId"]
            newest = now - timedelta(seconds=options.export_lag_s)
            # The log at this moment: later messages aren't in this export.
            found = (
                details_of(entry, options, cancelled=self._state.cancelled, now=now)
                for entry in map(orjson.loads, self._state.book.lines())
                if entry["subAccountId"] == sub_account_id
                and created_at(entry) <= newest
                and start <= created_at(entry) < end
            )
            rows = list(islice(found, limit))
            size = options.export_rows or max(len(rows), 1)
            files = [csv_of(rows[begin : begin + size]) for begin in range(0, len(rows), size)]
            last = (ENDS.get(fault.name) if fault else None) or ("succeeded" if files else "empty")
            statuses = [*["queued", *["running"] * options.export_polls][: options.export_polls], last]
            self._jobs[job_id] = Job(sub_account_id, files, statuses, fault)
        return json_response({"jobId": job_id}, 202)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        job = self._job_of(request)
        body: dict[str, object] = {"status": job.ask()}
        if body["status"] == "succeeded":
            links = [self._link_to(job, index, request) for index in range(len(job.files))]
            body |= {"data": links, "expires": timestamp(datetime.now(UTC) + LINKS_LAST)}
        return json_response(body)

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        self._job_of(request).statuses = ["cancelled"]
        return web.Response(status=204)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if str(request.url.origin()) == self.origin:
            self._state.stats.foreign_authorizations += request.headers.getall(hdrs.AUTHORIZATION, [])
        if request.match_info["token"] not in self._links:
            raise RefusedError(Code.NOT_FOUND, "The file does not exist")
        job, index = self._links[request.match_info["token"]]
        if job.fault and job.fault.name is FaultName.EXPORT_LINK_EXPIRED:
            raise RefusedError(Code.NOT_FOUND, "The link has expired", job.fault.status)
        response = web.Response(body=job.files[index], content_type="text/csv")
        # Only the last file is cut off, so that the files before it look fine.
        if job.fault and job.fault.name is FaultName.EXPORT_CUT_OFF and index == len(job.files) - 1:
            return await cut_off(request, response)
        return response

    def _job_of(self, request: web.Request) -> Job:
        self._state.admit(request)
        job = self._jobs.get(request.match_info["jobId"])
        if job is None or job.sub_account_id != request.match_info["subAccountId"]:
            raise RefusedError(Code.INVALID_JOB_ID, "Invalid jobId")
        return job

    def _link_to(self, job: Job, index: int, request: web.Request) -> str:
        token = secrets.token_urlsafe(32)
        self._links[token] = job, index
        path = DOWNLOAD.format(subAccountId=job.sub_account_id, token=token)
        return f"{self.origin or request.url.origin()}{path}"


def selection_of(body: object, now: datetime) -> tuple[datetime, datetime, int | None]:
    """The time span and the maximum number of messages of an export. Raises `RefusedError`.

    Without `from`, it covers the last seven days. Without `to`, it ends now: the document says "today", but not whether
    today is included.
    """
    if not isinstance(body, dict):
        raise RefusedError(Code.INVALID_PARAMETER, "The body must be a JSON object")
    refuse_filters(body)
    start = _moment_of(body, "from") or now - DEFAULT_PERIOD
    end = _moment_of(body, "to") or now
    if start >= end:
        raise RefusedError(Code.INVALID_PARAMETER, "'from' must be before 'to'")
    limit = body.get("limit", 0)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise RefusedError(Code.INVALID_PARAMETER, "'limit' must be a whole number of at least 0")
    return start, end, limit or None


def _moment_of(body: dict[str, Any], name: str) -> datetime | None:
    """A time without an offset is UTC; a date means midnight."""
    if name not in body:
        return None
    moment = moment_of(body[name], MOMENT)
    if moment is None:
        words = f"'{name}' must be yyyy-MM-dd or yyyy-MM-ddTHH:mm:ss, with or without an offset"
        raise RefusedError(Code.INVALID_PARAMETER, words)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
