"""csv, jinja2, and httpx's asynchronous client, 100 at a time. `httpx_async.py CSV TEMPLATE URL RESULTS`."""

# ruff: noqa: ASYNC230, PTH123 (written as such scripts are)

import asyncio
import csv
import sys
from pathlib import Path

import httpx  # type: ignore[import-not-found]
from jinja2 import Template

recipients, template_file, url, results = sys.argv[1:]
template = Template(Path(template_file).read_text())
CONCURRENCY = 100


async def send(client: "httpx.AsyncClient", semaphore: asyncio.Semaphore, row: dict[str, str]) -> list[str]:
    body = {
        "destination": row["mobile"],
        "text": template.render(row),
        "clientMessageId": f"spring-sale.main.{row['customer']}",
        "encoding": "AUTO",
    }
    async with semaphore:
        try:
            response = await client.post(url, json=body)
            response.raise_for_status()
            answer = response.json()
            return [row["mobile"], answer["status"]["code"], answer["umid"], ""]
        except httpx.HTTPError as error:
            return [row["mobile"], "failed", "", str(error)]


async def main() -> None:
    with open(recipients, newline="") as source:
        rows = list(csv.DictReader(source))
    semaphore = asyncio.Semaphore(CONCURRENCY)
    limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    headers = {"Authorization": "Bearer bench-key"}
    async with httpx.AsyncClient(limits=limits, headers=headers, timeout=30) as client:
        outcomes = await asyncio.gather(*(send(client, semaphore, row) for row in rows))
    with open(results, "w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["destination", "status", "umid", "error"])
        writer.writerows(outcomes)


asyncio.run(main())
