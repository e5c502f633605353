"""The log export: start a job, ask for it, download its files, cancel it.

The download links are signed, so that they take no key. They may stand on an origin of their own, as the provider's may
do: whatever key arrives there was given away, and is noted.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
from aiohttp import hdrs, web

from runner.sandbox.answers import Answer, Refusal, RefusedError
from runner.sandbox.codes import Code
from runner.sandbox.desk import Desk, json_of
from runner.sandbox.faults import Fault, FaultName, Faults
from runner.sandbox.jobs import Job, State, in_files, selection_of
from runner.sandbox.records import csv_of
from runner.sandbox.wire import cut_off, response

LINKS_LAST = timedelta(days=30)
EXPORTS = "/api/v1/subaccounts/{subAccountId}/messages/exports"
DOWNLOAD = "/api/v1/subaccounts/{subAccountId}/messages/download/{token}"


@dataclass(frozen=True, slots=True)
class Link:
    """What a download link leads to."""

    file: bytes
    fault: Fault | None
    is_last: bool


class Exports:
    """Keeps the jobs. `origin` is where the download links lead, None for where the question came."""

    def __init__(self, desk: Desk, faults: Faults, cancelled: set[str]) -> None:
        self._desk = desk
        self._options = desk.options
        self._faults = faults
        self._cancelled = cancelled
        self._started = 0
        self._jobs: dict[str, Job] = {}
        self._links: dict[str, Link] = {}
        self.origin: str | None = None

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(EXPORTS, self._start),
            web.get(f"{EXPORTS}/{{jobId}}", self._ask),
            web.delete(f"{EXPORTS}/{{jobId}}", self._cancel),
            web.get(DOWNLOAD, self._download, allow_head=False),
        ]

    def routes_elsewhere(self) -> list[web.RouteDef]:
        """Those of the downloads' own origin."""
        return [web.get(DOWNLOAD, self._download_elsewhere, allow_head=False)]

    async def _start(self, request: web.Request) -> web.StreamResponse:
        self._desk.admit(request)
        now = datetime.now(UTC)
        selection = selection_of(await json_of(request), now)
        self._started += 1
        fault = self._faults.of(self._started)
        if fault:
            self._desk.stats.faults[fault.name.value] += 1
        job_id = secrets.token_urlsafe(48)
        if not fault or fault.name is not FaultName.EXPORT_JOB_LOST:
            sub_account_id = request.match_info["subAccountId"]
            # The log as it is now: what comes later isn't in this export.
            not_after = now - timedelta(seconds=self._options.export_lag_s)
            entries = selection.of(self._desk.book, sub_account_id, not_after=not_after)
            files = [
                csv_of(some, cancelled=self._cancelled, fates=self._desk.fates, now=now)
                for some in in_files(entries, self._options.export_rows)
            ]
            self._jobs[job_id] = Job(sub_account_id, files, self._options.export_polls, fault)
        return response(Answer(202, orjson.dumps({"jobId": job_id})))

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        job = self._job_of(request)
        state = job.ask()
        body: dict[str, object] = {"status": state.value}
        if state is State.SUCCEEDED:
            expires = datetime.now(UTC) + LINKS_LAST
            body |= {
                "data": [self._link_to(job, index, request) for index in range(len(job.files))],
                "expires": expires.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            }
        return response(Answer(200, orjson.dumps(body)))

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        self._job_of(request).cancelled = True
        return web.Response(status=204)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        link = self._links.get(request.match_info["token"])
        if link is None:
            raise RefusedError(Refusal(Code.NOT_FOUND, "There is no such file", 404))
        fault = link.fault.name if link.fault else None
        if link.fault and fault is FaultName.EXPORT_LINK_EXPIRED:
            raise RefusedError(Refusal(Code.NOT_FOUND, "The link has expired", link.fault.status))
        answer = Answer(200, link.file, content_type="text/csv")
        # Of several files the last one only: the ones before it look as if all were well.
        broken = fault is FaultName.EXPORT_CUT_OFF and link.is_last
        return await cut_off(request, answer) if broken else response(answer)

    async def _download_elsewhere(self, request: web.Request) -> web.StreamResponse:
        self._desk.stats.foreign_authorizations += request.headers.getall(hdrs.AUTHORIZATION, [])
        return await self._download(request)

    def _job_of(self, request: web.Request) -> Job:
        self._desk.admit(request)
        job = self._jobs.get(request.match_info["jobId"])
        if job is None or job.sub_account_id != request.match_info["subAccountId"]:
            raise RefusedError(Refusal(Code.INVALID_JOB_ID, "Invalid jobId", 404))
        return job

    def _link_to(self, job: Job, index: int, request: web.Request) -> str:
        token = secrets.token_urlsafe(32)
        self._links[token] = Link(job.files[index], job.fault, is_last=index == len(job.files) - 1)
        path = DOWNLOAD.format(subAccountId=job.sub_account_id, token=token)
        return f"{self.origin or request.url.origin()}{path}"
