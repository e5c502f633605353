"""The usual script: csv, jinja2, and requests in a thread pool. `requests_threads.py CSV TEMPLATE URL RESULTS`."""

# ruff: noqa: PTH123 (written as such scripts are)

import csv
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from jinja2 import Template

recipients, template_file, url, results = sys.argv[1:]
template = Template(Path(template_file).read_text())
local = threading.local()


def session() -> "requests.Session":
    if not hasattr(local, "session"):
        local.session = requests.Session()
        local.session.headers["Authorization"] = "Bearer bench-key"
    found: requests.Session = local.session
    return found


def send(row: dict[str, str]) -> list[str]:
    body = {
        "destination": row["mobile"],
        "text": template.render(row),
        "clientMessageId": f"spring-sale.main.{row['customer']}",
        "encoding": "AUTO",
    }
    try:
        response = session().post(url, json=body, timeout=30)
        response.raise_for_status()
        answer = response.json()
        return [row["mobile"], answer["status"]["code"], answer["umid"], ""]
    except requests.RequestException as error:
        return [row["mobile"], "failed", "", str(error)]


with (
    open(recipients, newline="") as source,
    open(results, "w", newline="") as target,
    ThreadPoolExecutor(max_workers=50) as pool,
):
    writer = csv.writer(target)
    writer.writerow(["destination", "status", "umid", "error"])
    writer.writerows(pool.map(send, csv.DictReader(source)))
