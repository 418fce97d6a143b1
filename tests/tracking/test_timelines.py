"""The timelines of docs/rules.md, Number pools: who has which number when, and whose a call is."""

from datetime import timedelta
from pathlib import Path

import pytest

from edge.model.ledger import Connect, Finish, OpenCall
from edge.model.visits import Allocate, Member, Members, PageView, Touched
from edge.store.ledger import recover
from tests.tracking.pool_world import START, PoolWorld

SIX_HOURS = 6 * 3600


def number(given: object) -> str | None:
    member = getattr(given, "member", None)
    return None if member is None else member.number_id


def test_five_numbers_for_six_visitors(path: Path) -> None:
    pool = PoolWorld(path, 5)
    given = [number(pool.visit(who, 0)) for who in "abcdef"]
    assert set(given[:5]) == {"n0", "n1", "n2", "n3", "n4"}
    assert given[5] is None
    assert (pool.counted("misses"), pool.counted("hand_outs")) == (1, 5)


def test_the_hold_is_half_open(path: Path) -> None:
    pool = PoolWorld(path, 1)
    first = pool.visit("a", 0)
    assert number(pool.visit("b", 359)) is None
    third = pool.visit("c", 360)
    assert (number(third), third.generation) == ("n0", first.generation + 1)
    touched = pool.touch("a", first, 361)
    assert touched is not None and touched.given is not None and number(touched.given) is None


def test_the_link_is_half_open_too(path: Path) -> None:
    pool = PoolWorld(path, 1)
    given = pool.visit("a", 0)
    link = pool.call(SIX_HOURS - 1)
    assert link is not None and link.impression_id == given.impression_id
    assert pool.call(SIX_HOURS) is None
    assert (pool.counted("linked"), pool.counted("unlinked")) == (1, 1)


def test_a_call_is_the_last_visit_s_and_names_the_rival(path: Path) -> None:
    pool = PoolWorld(path, 1)
    first, second = pool.visit("a", 0), pool.visit("b", 400)
    link = pool.call(500)
    assert link is not None
    assert (link.impression_id, link.attribution) == (second.impression_id, "last_impression")
    assert link.rivals == (first.impression_id,)
    assert pool.counted("ambiguous") == 1


def test_use_of_the_page_holds_the_number_longer(path: Path) -> None:
    pool = PoolWorld(path, 1)
    given = pool.visit("a", 0)
    touched = pool.touch("a", given, 300)
    assert touched is not None and touched.given is None
    assert number(pool.visit("b", 600)) is None
    assert number(pool.visit("b", 660)) == "n0"


def test_a_closed_page_keeps_its_number_for_the_whole_hold(path: Path) -> None:
    pool = PoolWorld(path, 1)
    pool.close("a", pool.visit("a", 0), 5)
    assert number(pool.visit("b", 100)) is None


def test_unless_the_pool_closes_early(path: Path) -> None:
    pool = PoolWorld(path, 1, early_close=True)
    given = pool.visit("a", 0)
    pool.close("a", given, 5)
    assert number(pool.visit("b", 64)) is None
    assert number(pool.visit("b", 65)) == "n0"


def test_use_of_a_page_that_is_told_after_its_end_came_before_it(path: Path) -> None:
    """Both are sent as the page is left, and may come in any order; a restart in between changes nothing."""
    pool = PoolWorld(path, 1, early_close=True)
    given = pool.visit("a", 0)
    pool.close("a", given, 10)
    pool.restart()
    assert pool.touch("a", given, 10.2) == Touched("tag")
    assert pool.db.execute("SELECT closed_at IS NOT NULL FROM impressions").fetchall() == [(1,)]
    assert number(pool.visit("b", 69)) is None
    assert number(pool.visit("b", 70)) == "n0"


def test_who_comes_back_to_a_page_that_was_closed_keeps_its_number(path: Path) -> None:
    pool = PoolWorld(path, 1, early_close=True)
    given = pool.visit("a", 0)
    pool.close("a", given, 10)
    assert pool.touch("a", given, 25) == Touched("tag")
    assert pool.db.execute("SELECT closed_at FROM impressions").fetchall() == [(None,)]
    pool.close("a", given, 30)
    assert pool.visit("a", 30.5) == given, "the next page"
    assert number(pool.visit("b", 390)) is None
    assert number(pool.visit("b", 391)) == "n0"


def test_a_number_that_was_never_used_comes_before_a_lapsed_one(path: Path) -> None:
    pool = PoolWorld(path, 2)
    first = pool.visit("a", 0)
    assert {number(first), number(pool.visit("b", 400))} == {"n0", "n1"}
    link = pool.call(500, number(first) or "")
    assert link is not None and (link.impression_id, link.attribution) == (first.impression_id, "exact")


def test_a_visitor_who_returns_keeps_the_number(path: Path) -> None:
    pool = PoolWorld(path, 1)
    first, again = pool.visit("a", 0), pool.visit("a", 5000)
    assert (again.impression_id, number(again)) == (first.impression_id, "n0")
    assert number(pool.visit("b", 5359)) is None


@pytest.mark.parametrize(("frees", "expected"), [(True, "n0"), (False, None)])
def test_an_answered_call_that_is_over_frees_the_number(
    path: Path, frees: bool, expected: str | None
) -> None:
    pool = PoolWorld(path, 1, call_end_frees=frees)
    pool.visit("a", 0)
    pool.call(20, call_id="c")
    pool.hang_up("c", 80)
    assert number(pool.visit("b", 90)) == expected


def test_an_abandoned_call_frees_nothing_and_use_of_the_page_takes_the_number_back(path: Path) -> None:
    pool = PoolWorld(path, 1)
    given = pool.visit("a", 0)
    pool.call(20, call_id="c")
    pool.hang_up("c", 80, answered=False)
    assert number(pool.visit("b", 90)) is None
    pool.call(100, call_id="d")
    pool.hang_up("d", 110)
    pool.touch("a", given, 120)
    assert number(pool.visit("b", 130)) is None


def test_a_call_that_was_given_up_before_our_answer_frees_nothing(path: Path) -> None:
    pool = PoolWorld(path, 1)
    pool.visit("a", 0)
    pool.call(20, call_id="c")
    pool.hang_up("c", 80, unbridged=True)
    assert number(pool.visit("b", 90)) is None


def test_a_number_whose_call_is_over_may_be_kept_a_while(path: Path) -> None:
    pool = PoolWorld(path, 1, post_call_ms=50_000)
    pool.visit("a", 0)
    pool.call(20, call_id="c")
    pool.hang_up("c", 80)
    assert number(pool.visit("b", 129)) is None
    assert number(pool.visit("b", 130)) == "n0"


def test_a_number_with_a_live_call_is_nobody_else_s(path: Path) -> None:
    pool = PoolWorld(path, 1)
    pool.visit("a", 0)
    pool.call(20, call_id="c")
    assert number(pool.visit("b", 1000)) is None
    assert number(pool.visit("b", 30_000)) is None
    pool.hang_up("c", 30_010, answered=False)
    assert number(pool.visit("b", 30_020)) == "n0"


def test_where_nothing_may_be_given_out_a_beat_finds_nothing(path: Path) -> None:
    pool = PoolWorld(path, 1)
    given = pool.visit("a", 0)
    pool.active = False
    assert pool.touch("a", given, 10) is None
    assert pool.call(20) is not None, "what is linked stays linked"


def test_a_hundred_at_once_for_three_numbers(path: Path) -> None:
    pool = PoolWorld(path, 3)
    given = [number(pool.visit(f"v{n}", 0)) for n in range(100)]
    assert sorted(each for each in given if each is not None) == ["n0", "n1", "n2"]
    assert pool.counted("misses") == 97


def test_two_tabs_are_one_visit(path: Path) -> None:
    pool = PoolWorld(path, 1)
    assert pool.visit("a", 0) == pool.visit("a", 0)
    assert (pool.counted("impressions"), pool.counted("misses")) == (1, 0)


def test_a_number_that_nobody_ever_had_is_unlinked(path: Path) -> None:
    assert PoolWorld(path, 1).call(0) is None


def test_a_miss_is_counted_once_a_visit_and_may_still_get_a_number(path: Path) -> None:
    pool = PoolWorld(path, 1)
    pool.visit("a", 0)
    missed = [pool.visit("b", at) for at in (10, 20)]
    assert missed[0].impression_id == missed[1].impression_id
    late = pool.visit("b", 360)
    assert (number(late), late.impression_id) == ("n0", missed[0].impression_id)
    assert (pool.counted("misses"), pool.counted("impressions")) == (1, 2)


def test_lapsed_numbers_go_before_those_whose_call_is_over(path: Path) -> None:
    pool = PoolWorld(path, 2)
    a, b = pool.visit("a", 0), pool.visit("b", 100)
    pool.call(110, number(b) or "", "c")
    pool.hang_up("c", 120)
    assert number(pool.visit("x", 400)) == number(a)
    assert number(pool.visit("y", 401)) == number(b)


def test_a_stale_beat_loses(path: Path) -> None:
    pool = PoolWorld(path, 1)
    first = pool.visit("a", 0)
    pool.visit("b", 400)
    pool.touch("a", first, 401)
    assert number(pool.visit("c", 760)) == "n0", "the stale beat extended nothing"


@pytest.mark.parametrize("restarts", [False, True])
def test_time_goes_on_while_the_clock_is_days_behind_what_it_once_said(path: Path, *, restarts: bool) -> None:
    """It was set ahead and is right again: numbers lapse all the same, and not a moment too early."""
    pool, day = PoolWorld(path, 1), 86_400
    pool.visit("a", 5 * day)
    if restarts:
        pool.restart()
    assert number(pool.visit("b", 0)) is None
    for _ in range(2_879):
        pool.passed_s += 0.125
        pool.call(1, "other")
    assert number(pool.visit("b", 1)) is None
    pool.passed_s += 0.125
    assert number(pool.visit("b", 1)) == "n0"
    assert number(pool.visit("c", 5 * day + 719)) is None, "right again, and ahead of that"
    assert number(pool.visit("c", 5 * day + 720)) == "n0"


def test_leases_survive_a_restart_and_a_clock_that_is_put_back(path: Path) -> None:
    pool = PoolWorld(path, 1)
    given = pool.visit("a", 0)
    assert pool.call(SIX_HOURS) is None
    pool.restart()
    assert pool.call(SIX_HOURS - 100, call_id="c") is None, "what was over stays over"
    pool.hang_up("c", SIX_HOURS - 99, answered=False)
    fresh = pool.visit("b", SIX_HOURS - 50)
    assert (number(fresh), fresh.generation) == ("n0", given.generation + 1)
    pool.restart()
    assert number(pool.visit("c", SIX_HOURS + 359)) is None
    assert number(pool.visit("b", SIX_HOURS + 359)) == "n0"


def test_what_could_not_be_committed_did_not_happen(path: Path) -> None:
    pool = PoolWorld(path, 1)
    pool.db.execute("BEGIN IMMEDIATE")
    terms = pool.terms()
    assert terms is not None
    assert pool.ledger.run(Allocate(terms, "a", "i1", PageView(), START)).member is not None
    pool.db.execute("ROLLBACK")
    pool.ledger.rolled_back()
    assert number(pool.visit("b", 1)) == "n0"


def test_a_changed_hold_shortens_no_promise(path: Path) -> None:
    pool = PoolWorld(path, 1, hold=600)
    given = pool.visit("a", 0)
    pool.rules = PoolWorld(path, 1, hold=100).rules
    pool.touch("a", given, 10)
    assert number(pool.visit("b", 599)) is None
    assert number(pool.visit("b", 600)) == "n0"


def test_a_number_that_left_the_pool_is_given_to_nobody_but_keeps_its_link(path: Path) -> None:
    pool = PoolWorld(path, 2)
    given = pool.visit("a", 0)
    gone = number(given) or ""
    pool.members = Members({k: m for k, m in pool.members.by_id.items() if k != gone})
    link = pool.call(10, gone)
    assert link is not None and link.impression_id == given.impression_id
    touched = pool.touch("a", given, 20)
    assert touched is not None and touched.given is not None
    assert number(touched.given) not in (None, gone)


def test_a_caller_who_dials_again_may_keep_the_first_visit(path: Path) -> None:
    pool = PoolWorld(path, 1)
    first = pool.visit("a", 0)
    pool.call(10, call_id="c", caller="+12125550100", affinity_h=24)
    about = {"started_at": "2026-11-22T10:00:10.000Z", "caller": "+12125550100", "called": "n0"}
    pool.hang_up("c", 20, record={**about, "pool_id": "pool", "impression_id": first.impression_id})
    second = pool.visit("b", 400)
    again = pool.call(500, call_id="d", caller="+12125550100", affinity_h=24)
    assert again is not None
    assert (again.impression_id, again.attribution) == (first.impression_id, "caller_affinity")
    other = pool.call(500, call_id="e", caller="+12125550101", affinity_h=24)
    assert other is not None and other.impression_id == second.impression_id
    pool.hang_up("d", 510)
    pool.hang_up("e", 520, answered=False)
    assert number(pool.visit("x", 530)) is None, "of the visit that has the number no call was answered"


def test_a_caller_of_another_pool_s_visit_is_this_one_s_visitor_like_any_other(path: Path) -> None:
    """The number has changed hands since, and with it whose the caller is."""
    pool = PoolWorld(path, 1)
    first = pool.visit("a", 0)
    pool.call(10, call_id="c", caller="+12125550100")
    about = {"started_at": "2026-11-22T10:00:10.000Z", "caller": "+12125550100", "called": "n0"}
    pool.hang_up("c", 20, record={**about, "pool_id": "before", "impression_id": first.impression_id})
    second = pool.visit("b", 400)
    again = pool.call(500, call_id="d", caller="+12125550100", affinity_h=24)
    assert again is not None and again.impression_id == second.impression_id


def test_the_last_call_of_several_need_not_be_the_answered_one(path: Path) -> None:
    pool = PoolWorld(path, 1)
    pool.visit("a", 0)
    pool.call(20, call_id="c")
    pool.call(30, call_id="d")
    pool.hang_up("c", 80)
    assert number(pool.visit("b", 85)) is None
    pool.db.execute("BEGIN IMMEDIATE")
    pool.ledger.run(Finish("d", START + timedelta(seconds=90), "busy", {}))
    pool.db.execute("ROLLBACK")
    pool.ledger.rolled_back()
    assert number(pool.visit("b", 95)) is None
    pool.hang_up("d", 100, answered=False)
    assert number(pool.visit("b", 105)) == "n0"


def test_an_area_code_is_preferred_then_its_region(path: Path) -> None:
    pool = PoolWorld(path, 0)
    members = [Member("n0", "+12125550000", "212", "NY"), Member("n1", "+13125550000", "312", "IL"),
               Member("n2", "+17735550000", "773", "IL")]  # fmt: skip
    pool.members = Members({each.number_id: each for each in members})
    assert number(pool.visit("a", 0, near=("773", "IL"))) == "n2"
    assert number(pool.visit("b", 0, near=("773", "IL"))) == "n1"
    assert number(pool.visit("c", 0, near=("773", "IL"))) == "n0"


def test_a_url_s_parameters_and_a_page_s_data_come_with_the_call(path: Path) -> None:
    pool = PoolWorld(path, 1)
    landing = PageView("https://a.example/?utm_source=ads&Utm.Medium=cpc&call_id=1", tags={"cart": "1"})
    pool.visit("a", 0, view=landing)
    pool.visit("a", 60, view=PageView("https://a.example/?step=2", tags={"cart": "2"}))
    link = pool.call(90)
    assert link is not None
    assert link.landing == {"utm_source": "ads", "utm_medium": "cpc"}
    assert (link.latest, link.data) == ({"step": "2"}, {"cart": "2"})


def test_the_end_of_an_old_call_does_not_change_whose_number_is_whose(path: Path) -> None:
    pool = PoolWorld(path, 2)
    pool.visit("a", 0)
    pool.call(10, "n0", "c")
    fresh = pool.visit("a", SIX_HOURS)
    assert number(fresh) == "n1", "the first number is busy"
    pool.hang_up("c", SIX_HOURS + 1)
    assert pool.visit("a", SIX_HOURS + 2) == fresh


def test_a_call_that_a_crash_cut_off_is_over_and_its_number_may_go_on(path: Path) -> None:
    pool = PoolWorld(path, 1)
    given = pool.visit("a", 0)
    pool.call(10, call_id="c")
    opened = OpenCall(
        "c", START, "trk", None, "n0", "n0", "cmp", pool_id="pool", impression_id=given.impression_id
    )
    pool.run(opened)
    pool.run(Connect("c", 1, "tgt", START))
    pool.restart()
    pool.db.execute("BEGIN IMMEDIATE")
    assert recover(pool.db, START + timedelta(seconds=60)) == 1
    pool.db.execute("COMMIT")
    assert pool.db.execute("SELECT impression_id FROM calls").fetchall() == [(given.impression_id,)]
    assert number(pool.visit("b", 70)) == "n0"
