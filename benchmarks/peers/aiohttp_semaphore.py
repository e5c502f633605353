"""csv, jinja2, and aiohttp with a semaphore, 100 at a time. `aiohttp_semaphore.py CSV TEMPLATE URL RESULTS`."""

# ruff: noqa: ASYNC230, PTH123 (written as such scripts are)

import asyncio
import csv
import sys
from pathlib import Path

import aiohttp
from jinja2 import Template

recipients, template_file, url, results = sys.argv[1:]
template = Template(Path(template_file).read_text())
CONCURRENCY = 100


async def send(session: aiohttp.ClientSession, semaphore: asyncio.Semaphore, row: dict[str, str]) -> list[str]:
    body = {
        "destination": row["mobile"],
        "text": template.render(row),
        "clientMessageId": f"spring-sale.main.{row['customer']}",
        "encoding": "AUTO",
    }
    async with semaphore:
        try:
            async with session.post(url, json=body) as response:
                response.raise_for_status()
                answer = await response.json()
                return [row["mobile"], answer["status"]["code"], answer["umid"], ""]
        except aiohttp.ClientError as error:
            return [row["mobile"], "failed", "", str(error)]


async def main() -> None:
    with open(recipients, newline="") as source:
        rows = list(csv.DictReader(source))
    semaphore = asyncio.Semaphore(CONCURRENCY)
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer bench-key"}) as session:
        outcomes = await asyncio.gather(*(send(session, semaphore, row) for row in rows))
    with open(results, "w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["destination", "status", "umid", "error"])
        writer.writerows(outcomes)


asyncio.run(main())
