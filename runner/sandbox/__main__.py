"""`python -m runner.sandbox`: what `start` runs. People use `campaign sandbox`."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.errors import InputError
from runner.sandbox.options import SandboxOptions, authorization_from_environment, key_from_environment, pauses_of
from runner.sandbox.process import READY, serve


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m runner.sandbox", allow_abbrev=False)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--api-key-env", metavar="NAME", help="the environment variable that holds the accepted key")
    parser.add_argument("--sub-account")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--reject-share", type=float, default=0.0)
    parser.add_argument("--rate-limit", type=int, metavar="PER_SECOND")
    parser.add_argument("--book", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tls-cert", type=Path)
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--faults", type=Path)
    parser.add_argument("--export-polls", type=int, default=2)
    parser.add_argument("--export-lag-s", type=float, default=0.0)
    parser.add_argument("--export-rows", type=int)
    parser.add_argument("--download-port", type=int)
    parser.add_argument("--balance", type=float, default=1000.0)
    parser.add_argument("--post-paid", action="store_true")
    parser.add_argument("--receipt-delay-s", type=float, default=0.2)
    parser.add_argument("--undelivered-share", type=float, default=0.0)
    parser.add_argument("--receipt-disorder", type=float, default=0.0)
    parser.add_argument("--receipt-duplicates", type=float, default=0.0)
    parser.add_argument("--stop-share", type=float, default=0.0)
    parser.add_argument("--inbound-url")
    parser.add_argument(
        "--receipt-auth-header-env", metavar="NAME", help="the variable with the receipts' Authorization"
    )
    parser.add_argument("--receipt-retry-s", default="1,10,30,90", metavar="S,S")
    parser.add_argument("--receipts-beyond-loopback", action="store_true")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the parent process; ignore Ctrl-C")
    given = parser.parse_args(arguments)

    if given.until_stdin_closes:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        options = SandboxOptions(
            host=given.host,
            port=given.port,
            api_key=key_from_environment(given.api_key_env),
            sub_account_id=given.sub_account,
            latency_s=given.latency_ms / 1000,
            reject_share=given.reject_share,
            rate_limit=given.rate_limit,
            book=given.book,
            seed=given.seed,
            tls_certificate=given.tls_cert,
            tls_key=given.tls_key,
            faults=given.faults,
            export_polls=given.export_polls,
            export_lag_s=given.export_lag_s,
            export_rows=given.export_rows,
            download_port=given.download_port,
            balance=given.balance,
            post_paid=given.post_paid,
            receipt_delay_s=given.receipt_delay_s,
            undelivered_share=given.undelivered_share,
            receipt_disorder=given.receipt_disorder,
            receipt_duplicates=given.receipt_duplicates,
            stop_share=given.stop_share,
            inbound_url=given.inbound_url,
            receipt_authorization=authorization_from_environment(given.receipt_auth_header_env),
            receipt_retry_s=pauses_of(given.receipt_retry_s),
            receipts_beyond_loopback=given.receipts_beyond_loopback,
        )
        serve(options, _say_ready, until_stdin_closes=given.until_stdin_closes)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _say_ready(base_url: str) -> None:
    sys.stdout.write(f"{READY}{base_url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
