from runner.receipts.intake import Metrics


def test_each_server_counts_for_itself() -> None:
    one, other = Metrics(), Metrics()
    one.event("receipt", "delivered")
    assert b'kind="receipt"' in one.text()
    assert b'kind="receipt"' not in other.text()


def test_counts_for_people_are_those_for_machines() -> None:
    metrics = Metrics()
    metrics.event("receipt", "sent")
    metrics.event("receipt", "sent")
    metrics.event("opt_out")
    metrics.refused(401)
    metrics.settled.inc(2)
    metrics.group_size.observe(3)
    metrics.waiting.set(7)
    assert {"receipt": 2, "opt_out": 1, "refused": 1} == metrics.counts
    lines = metrics.text().decode().splitlines()
    for line in (
        'campaign_receipts_events_total{kind="receipt"} 2.0',
        'campaign_receipts_states_total{state="sent"} 2.0',
        'campaign_receipts_refused_total{status="401"} 1.0',
        "campaign_receipts_settled_total 2.0",
        "campaign_receipts_group_size_sum 3.0",
        "campaign_receipts_waiting 7.0",
        "campaign_receipts_healthy 1.0",
    ):
        assert line in lines
