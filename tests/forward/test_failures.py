from vmon.forward.failures import FailureCounter


def test_the_cutoff_counts_the_failures_of_half_an_hour() -> None:
    gauge = FailureCounter("cutoff")
    said = [gauge.note(b"%d" % number, number * 60.0) for number in range(40)]
    assert said[0] == "1 of 50 failures in 30 min"
    assert said[11] == "12 of 50 failures in 30 min"
    assert said[39] == "31 of 50 failures in 30 min"  # those of the first minutes are over


def test_more_than_fifty_failures_are_the_end_of_forwarding() -> None:
    gauge = FailureCounter("cutoff")
    said = [gauge.note(b"", 0.0) for _ in range(1000)]
    assert said[49] == "50 of 50 failures in 30 min"
    assert said[50] == "50 of 50 failures in 30 min: Vonage disables event forwarding"
    assert said[999] == said[50]
    assert gauge.summary() == (
        "1,000: more than 50 in 30 min disable event forwarding, switch it on again in the "
        "dashboard (see vmon help register)"
    )


def test_a_retry_is_told_by_its_body_and_waits_twice_as_long() -> None:
    gauge = FailureCounter("retry")
    assert gauge.note(b"a", 0.0) == "Vonage retries in 5.0 s and gives up in 1 d"
    assert gauge.note(b"b", 1.0) == "Vonage retries in 5.0 s and gives up in 1 d"
    assert gauge.note(b"a", 5.0).startswith("Vonage retries in 10.0 s and gives up in ")
    assert gauge.note(b"a", 15.0).startswith("Vonage retries in 20.0 s and gives up in ")
    assert gauge.summary() == (
        "4: Vonage retries each after 5.0 s, doubling up to 15 min, for 24 h "
        "(see vmon help register)"
    )


def test_waits_are_at_most_15_min_and_end_after_24_h() -> None:
    gauge = FailureCounter("retry")
    said = [gauge.note(b"a", number * 900.0) for number in range(97)]
    assert said[20] == "Vonage retries in 15 min and gives up in 19 h"
    assert said[96] == "Vonage stops retrying (24 h limit)"


def test_it_remembers_a_bounded_number_of_bodies() -> None:
    gauge = FailureCounter("retry")
    for number in range(5000):
        gauge.note(b"%d" % number, 0.0)
    assert len(gauge._failing) == 1000


def test_without_failures_there_is_nothing_to_say() -> None:
    assert FailureCounter("retry").summary() == ""
