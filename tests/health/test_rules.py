"""Rules as they are written, and what is wrong with those that are none."""

import pytest

from tickwire.health import parse_rule


@pytest.mark.parametrize(
    ("text", "name", "function", "labels", "op", "limit", "hold_s"),
    [
        ("ring_depth > 0.8 for 5s", "ring_depth", "", (), ">", 0.8, 5.0),
        ("rate(messages) < 1 for 2m", "messages", "rate", (), "<", 1.0, 120.0),
        ("rate(tickwire_messages_total)<1", "messages", "rate", (), "<", 1.0, 0.0),
        (
            'gaps_open{table="book", reason="seq\\"x"} >= 1', "gaps_open", "",
            (("table", "book"), ("reason", 'seq"x')), ">=", 1.0, 0.0,
        ),
        ("p99(read_to_commit_seconds) > 5e-1", "read_to_commit_seconds", "p99", (), ">", 0.5, 0.0),
        ("connections_open != -1 for 100ms", "connections_open", "", (), "!=", -1.0, 0.1),
    ],
)  # fmt: skip
def test_a_rule_is_read(text, name, function, labels, op, limit, hold_s):
    rule = parse_rule(text)
    found = (rule.metric.name, rule.function, rule.labels, rule.op, rule.limit, rule.hold_s)
    assert found == (name, function, labels, op, limit, hold_s)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "should be such as"),
        ("ring_depth", "should be such as"),
        ("ring_depth > lots", "should be such as"),
        ("ring_depth > 1 for ever", "should be such as"),
        ("rate(messages > 1", "should be such as"),
        ("ring_dept > 1", "no metric ring_dept, did you mean ring_depth"),
        ("read_to_ring_seconds > 1", "is a histogram: write p50, p99, p999, max around it"),
        ("p99(messages) > 1", "should be rate(messages), or no function"),
        ('ring_depth{queue="book"} > 1', "ring_depth has no label queue; it has sink, table"),
        ("ring_depth{table=book} > 1", "labels should be such as"),
        ('ring_depth{table="a" sink="b"} > 1', "labels should be parted by commas"),
        ('p99(read_to_commit_seconds{sink="x"}) > 1', "is over all labels"),
    ],
)
def test_what_is_no_rule_is_named(text, wrong):
    with pytest.raises(ValueError, match=wrong.replace("(", r"\(").replace(")", r"\)")):
        parse_rule(text)
