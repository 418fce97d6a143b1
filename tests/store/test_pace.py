"""When a commit goes: a caller's way on is not held up, answers wait for each other, and none for long."""

from edge.store.pace import ANSWER_S, BURST, CROWD, CROWD_S, SOON_S, Pace


def test_what_somebody_waits_for_goes_at_once() -> None:
    pace, now = Pace(), 100.0
    for _ in range(50):
        assert pace.soon() <= now
        pace.went(now)
        now += SOON_S


def test_a_storm_of_it_shares_commits_after_a_burst() -> None:
    pace, now = Pace(), 100.0
    at_once = 0
    while pace.soon() <= now:
        pace.went(now)
        at_once += 1
    assert at_once == BURST + 1
    assert now < pace.soon() <= now + SOON_S


def test_a_lone_answer_goes_at_once() -> None:
    pace = Pace()
    pace.went(100.0)
    assert pace.answer() == 100.0 + ANSWER_S  # long past, when the next call comes a second later


def test_answers_wait_for_each_other_and_none_for_long() -> None:
    """Fifty calls a second: four share a commit."""
    pace, goes_at, waited = Pace(), 0.0, []
    commits, waiting = 0, list[float]()
    for now in (100.0 + 0.02 * number for number in range(51)):
        if waiting and goes_at <= now:
            pace.went(goes_at)
            waited += [goes_at - since for since in waiting]
            waiting, commits = [], commits + 1
        due = pace.answer()
        goes_at = max(now, min(due, goes_at) if waiting else due)
        waiting.append(now)
    assert max(waited) <= ANSWER_S + 1e-6
    assert 11 <= commits <= 15


def test_a_crowd_waits_less_and_still_shares() -> None:
    pace = Pace()
    pace.went(100.0)
    dues = [pace.answer() for _ in range(CROWD)]
    assert dues == [100.0 + ANSWER_S] * (CROWD - 1) + [100.0 + CROWD_S]
    pace.went(100.0 + CROWD_S)
    assert pace.answer() == 100.0 + CROWD_S + ANSWER_S
