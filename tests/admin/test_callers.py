"""Lists of callers over HTTP: written in bulk, read in pages, kept while a target names them."""

from tests.admin.client import Client

CSV = {"Content-Type": "text/csv"}


async def test_numbers_come_and_go_in_bulk(api: Client) -> None:
    made = await api.new("caller-lists", name="Do not send")
    path = f"caller-lists/{made['id']}/numbers"
    rows = b"number\n+13125550101\n(312) 555-0102,a note\n312-555-0102\nnot 1\n"
    done = await api.ask("POST", path, data=rows, headers=CSV)
    assert (done.json["added"], done.json["count"]) == (2, 2)
    assert [wrong["path"] for wrong in done.json["refused"]] == ["row 5"]
    again = await api.ask("POST", path, data=rows, headers=CSV)
    assert (again.json["added"], again.json["count"]) == (0, 2)
    swapped = await api.ask(
        "POST", f"{path}?mode=replace", data=b"+13125550102\n+442079460000\n", headers=CSV
    )
    assert (swapped.json["added"], swapped.json["removed"], swapped.json["count"]) == (1, 1, 2)
    first = await api.get(f"{path}?limit=1")
    assert first.json["items"] == [{"number": "+13125550102"}]
    rest = await api.get(f"{path}?limit=1&cursor=%2B13125550102")
    assert rest.json["items"] == [{"number": "+442079460000"}]
    gone = await api.ask("POST", f"{path}?mode=remove", data=b"+442079460000", headers=CSV)
    assert (gone.json["removed"], gone.json["count"]) == (1, 1)


async def test_a_file_without_any_number_empties_no_list(api: Client) -> None:
    """It is of another format, and a list of whom not to send must not be gone for that."""
    made = await api.new("caller-lists", name="Do not send")
    path = f"caller-lists/{made['id']}/numbers"
    await api.ask("POST", path, data=b"+13125550101\n", headers=CSV)
    for rows in (b"", b"number;name\n3125550101;x\n"):
        refused = await api.ask("POST", f"{path}?mode=replace", data=rows, headers=CSV)
        assert refused.status == 422
    assert len((await api.get(path)).json["items"]) == 1


async def test_a_cursor_of_a_list_of_callers_is_one_of_its_numbers(api: Client) -> None:
    made = await api.new("caller-lists", name="Book")
    for cursor in ("x", "+13125550101", "%00"):
        assert (await api.get(f"caller-lists/{made['id']}/numbers?cursor={cursor}")).status == 422


async def test_a_list_that_a_target_names_stays(api: Client) -> None:
    made = await api.new("caller-lists", name="Book")
    target = await api.new("targets", name="T", address="sip:t@pbx.example", book_list_ids=[made["id"]])
    assert (await api.delete(f"caller-lists/{made['id']}")).status == 409
    unknown = await api.patch(f"targets/{target['id']}", {"suppression_list_ids": ["lst_none"]})
    assert unknown.errors == {"suppression_list_ids[0]": "there is no caller_list with the id 'lst_none'"}
    await api.patch(f"targets/{target['id']}", {"book_list_ids": []})
    assert (await api.delete(f"caller-lists/{made['id']}")).status == 204
    assert (await api.get(f"caller-lists/{made['id']}/numbers")).status == 404
