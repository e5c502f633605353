"""`campaign sandbox`: serve the stand-in for the provider's API until Ctrl-C."""

from pathlib import Path
from typing import Annotated

import typer

from runner.cli.console import say

NAME = "sandbox"


def command(
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.")] = 8088,
    latency_ms: Annotated[float, typer.Option(help="How long each answer takes, in milliseconds.")] = 50,
    reject_share: Annotated[float, typer.Option(help="The share of messages that is answered REJECTED, 0 to 1.")] = 0,
    rate_limit: Annotated[int | None, typer.Option(help="Requests per second, 429 beyond. Default: none.")] = None,
    book: Annotated[Path | None, typer.Option(help="Append every answered message to this file (JSON lines).")] = None,
    sub_account: Annotated[str | None, typer.Option(help="The one sub-account that exists. Default: any.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="The environment variable with the one valid key. Default: any key.")
    ] = None,
    faults: Annotated[Path | None, typer.Option(help="What shall go wrong: a fault file, see docs/sandbox.md.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other victims of rejections and faults.")] = 0,
    export_polls: Annotated[int, typer.Option(help="How often to ask for a log export before it is ready.")] = 2,
    export_lag_s: Annotated[float, typer.Option(help="Messages younger than this are in no log export yet.")] = 0,
    export_rows: Annotated[int | None, typer.Option(help="Messages in a file of an export. Default: all.")] = None,
    download_port: Annotated[
        int | None, typer.Option(help="Serve the exports' files on this port. Default: the same.")
    ] = None,
    balance: Annotated[float, typer.Option(help="What the prepaid account has; may be below zero.")] = 1000,
    post_paid: Annotated[
        bool, typer.Option("--post-paid", help="The account is not prepaid: it has no balance.")
    ] = False,
    receipt_delay_s: Annotated[
        float, typer.Option(help="Seconds between the receipts of a message, about. They go to its dlrCallbackUrl.")
    ] = 0.2,
    undelivered_share: Annotated[float, typer.Option(help="The share of messages that reach no phone, 0 to 1.")] = 0,
    receipt_disorder: Annotated[
        float, typer.Option(help="The share of messages whose receipts come in another order, 0 to 1.")
    ] = 0,
    receipt_duplicates: Annotated[float, typer.Option(help="The share of receipts that come twice, 0 to 1.")] = 0,
    stop_share: Annotated[
        float, typer.Option(help="The share of recipients who reply, most of them STOP, 0 to 1.")
    ] = 0,
    inbound_url: Annotated[
        str | None, typer.Option(help="Where replies go. Default: the message's dlrCallbackUrl.")
    ] = None,
    receipt_auth_header_env: Annotated[
        str | None, typer.Option(help="The environment variable with the receipts' whole Authorization header.")
    ] = None,
    receipt_retry_s: Annotated[
        str, typer.Option(help="Seconds before each other try of a receipt that was not taken.")
    ] = "1,10,30,90",
    receipts_beyond_loopback: Annotated[
        bool, typer.Option("--receipts-beyond-loopback", help="Send receipts to other computers too.")
    ] = False,
    tls_cert: Annotated[Path | None, typer.Option(help="Serve TLS with this certificate (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's private key (PEM).")] = None,
) -> int:
    """Serve a stand-in for the provider; nothing reaches a phone."""
    from runner.sandbox.options import (
        SandboxOptions,
        authorization_from_environment,
        key_from_environment,
        pauses_of,
    )
    from runner.sandbox.process import serve

    def on_ready(base_url: str) -> None:
        typer.echo(f"sandbox listening on {base_url}")
        say(f"in another terminal:  export EIGHTXEIGHT_BASE_URL={base_url} EIGHTXEIGHT_API_KEY=any")
        say("Ctrl-C ends it.")

    options = SandboxOptions(
        port=port,
        api_key=key_from_environment(api_key_env),
        sub_account_id=sub_account,
        latency_s=latency_ms / 1000,
        reject_share=reject_share,
        rate_limit=rate_limit,
        book=book,
        seed=seed,
        faults=faults,
        export_polls=export_polls,
        export_lag_s=export_lag_s,
        export_rows=export_rows,
        download_port=download_port,
        balance=balance,
        post_paid=post_paid,
        receipt_delay_s=receipt_delay_s,
        undelivered_share=undelivered_share,
        receipt_disorder=receipt_disorder,
        receipt_duplicates=receipt_duplicates,
        stop_share=stop_share,
        inbound_url=inbound_url,
        receipt_authorization=authorization_from_environment(receipt_auth_header_env),
        receipt_retry_s=pauses_of(receipt_retry_s),
        receipts_beyond_loopback=receipts_beyond_loopback,
        tls_certificate=tls_cert,
        tls_key=tls_key,
    )
    serve(options, on_ready)
    return 0
