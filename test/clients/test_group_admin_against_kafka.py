# SPDX-License-Identifier: Apache-2.0
"""What an administrator asks of groups, byte for byte, of Klamm and a real Kafka 4.4.0."""

import pytest

from groups import on_both, rows
from test_against_kafka import all_versions, until

NON_EMPTY, NOT_FOUND = 68, 69
STATES = ("Empty", "PreparingRebalance", "CompletingRebalance", "Stable")
# Read, delete, describe, and describe and alter configs.
ALL_OPERATIONS = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11


# ---- DescribeGroups


@pytest.mark.parametrize("version", all_versions("DescribeGroups"))
@on_both
def test_describe_in_each_state(talk, version):
    def state():
        return talk.describe(version)

    told = state()
    assert told["GroupState"] == "Dead"
    assert told["ErrorCode"] == (NOT_FOUND if version >= 6 else 0)
    first, second = talk.member("a"), talk.member("b", instance="i")
    first.join()
    told = state()
    assert (told["GroupState"], told["ProtocolType"], told["ProtocolData"]) == (
        "CompletingRebalance", "consumer", "")
    assert [m["MemberMetadata"] for m in told["Members"]] == [b""]
    first.sync({first: b"given"})
    told = state()
    assert (told["GroupState"], told["ProtocolData"]) == ("Stable", "range")
    row = told["Members"][0]
    assert (row["MemberMetadata"], row["MemberAssignment"]) == (b"meta of a", b"given")
    assert (row["ClientId"], row["ClientHost"]) == ("wire", "/127.0.0.1")
    second.begin_join()
    first.until_rebalance()
    told = state()
    assert (told["GroupState"], told["ProtocolData"]) == ("PreparingRebalance", "")
    assert {m["MemberAssignment"] for m in told["Members"]} <= {b"", b"given"}
    talk.rejoin([first])
    first.end_join(), second.end_join()
    first.sync({first: b"1", second: b"2"})
    assert state()["GroupState"] == "Stable"
    second.leave(), first.leave()
    talk.until_state("Empty")
    told = state()
    assert (told["ProtocolType"], told["ProtocolData"], told["Members"]) == ("consumer", "", [])


@pytest.mark.parametrize("version", all_versions("DescribeGroups"))
@on_both
def test_describe_of_several(talk, version):
    talk.commit([rows("one", 0)])
    operations = [{}] if version < 3 else [{}, {"IncludeAuthorizedOperations": True}]
    for fields in operations:
        answer = talk.ask("DescribeGroups", version, Groups=[
            talk.group, talk.group + "-none", "", talk.group], **fields)
        for row in answer["Groups"]:
            if fields and row["GroupId"] == talk.group:
                assert row["AuthorizedOperations"] == ALL_OPERATIONS
        talk.ask("DescribeGroups", version, Groups=[], **fields)


# ---- ListGroups


def listed(talk, version, **fields):
    """Of this scenario's groups; the answer is noted so."""
    answer = talk.ask("ListGroups", version, is_noted=False, **fields)
    answer["Groups"] = [g for g in answer["Groups"] if g["GroupId"].startswith(talk.group)]
    talk.note("ListGroups", version, answer)
    assert answer["ErrorCode"] == 0
    return {g["GroupId"].removeprefix(talk.group): g for g in answer["Groups"]}


def groups_in_each_state(talk):
    """Groups whose names end in the state's."""
    name = talk.group
    made = {}
    for state in ("PreparingRebalance", "CompletingRebalance", "Stable"):
        talk.group = name + state
        made[state] = member = talk.member("a")
        if state == "CompletingRebalance":
            member.join()
        else:
            talk.stable(member)
        if state == "PreparingRebalance":
            talk.member("b").begin_join()
            member.until_rebalance()
    talk.group = name + "Empty"
    talk.commit([rows("one", 0)])
    talk.group = name
    return made


@pytest.mark.parametrize("version", all_versions("ListGroups"))
@on_both
def test_list(talk, version):
    groups_in_each_state(talk)
    told = listed(talk, version)
    assert set(told) == set(STATES)
    for state, row in told.items():
        assert row["ProtocolType"] == ("" if state == "Empty" else "consumer")
        assert version < 4 or row["GroupState"] == state
        assert version < 5 or row["GroupType"] == "classic"


@pytest.mark.parametrize("version", all_versions("ListGroups", 4))
@on_both
def test_list_by_state(talk, version):
    groups_in_each_state(talk)
    for state in STATES:
        for spelt in (state, state.lower(), state.upper()):
            assert set(listed(talk, version, StatesFilter=[spelt])) == {state}
    assert set(listed(talk, version, StatesFilter=["Stable", "empty"])) == {"Stable", "Empty"}
    assert set(listed(talk, version, StatesFilter=[" Stable\t"])) == {"Stable"}
    assert set(listed(talk, version, StatesFilter=["Stable", "nonsense", ""])) == {"Stable"}
    for unknown in ("nonsense", "", "Dead", "Assigning", "Reconciling", "Unknown", "St able"):
        assert listed(talk, version, StatesFilter=[unknown]) == {}


@pytest.mark.parametrize("version", all_versions("ListGroups", 5))
@on_both
def test_list_by_type(talk, version):
    groups_in_each_state(talk)
    for spelt in ("classic", "Classic", "CLASSIC"):
        assert set(listed(talk, version, TypesFilter=[spelt])) == set(STATES)
    assert set(listed(talk, version, TypesFilter=["classic", "consumer"])) == set(STATES)
    assert set(listed(talk, version, TypesFilter=["classic"], StatesFilter=["STABLE"])) == {
        "Stable"}
    for other in ("consumer", "share", "streams"):
        assert listed(talk, version, TypesFilter=[other]) == {}
    for unknown in ("nonsense", "", "unknown", " classic"):
        assert listed(talk, version, TypesFilter=[unknown]) == {}
    assert set(listed(talk, version, TypesFilter=["nonsense", "classic"])) == set(STATES)


# ---- DeleteGroups


@pytest.mark.parametrize("version", all_versions("DeleteGroups"))
@on_both
def test_delete(talk, version):
    groups_in_each_state(talk)
    names = [talk.group + s for s in STATES]

    def delete(*groups):
        answer = talk.ask("DeleteGroups", version, GroupsNames=list(groups))
        return {r["GroupId"].removeprefix(talk.group): r["ErrorCode"] for r in answer["Results"]}

    told = delete(*names, talk.group + "-none", "")
    assert told == {"Empty": 0, "PreparingRebalance": NON_EMPTY, "CompletingRebalance": NON_EMPTY,
                    "Stable": NON_EMPTY, "-none": NOT_FOUND, "": NOT_FOUND}
    assert delete(names[0]) == {"Empty": NOT_FOUND}
    assert delete() == {}
    assert set(listed(talk, 5)) == set(STATES) - {"Empty"}
    assert talk.ask("OffsetFetch", 7, GroupId=names[0], Topics=None)["Topics"] == []
    assert talk.ask("DescribeGroups", 6, Groups=names[:1])["Groups"][0]["ErrorCode"] == NOT_FOUND


@pytest.mark.parametrize("version", all_versions("DeleteGroups"))
@on_both
def test_delete_of_one_twice(talk, version):
    talk.commit([rows("one", 0)])
    talk.ask("DeleteGroups", version, GroupsNames=[talk.group, talk.group])
    talk.describe()


@on_both
def test_a_group_that_was_left_is_deleted_and_made_again(talk):
    member = talk.member("a")
    talk.stable(member)
    member.commit([rows("one", (0, 5, "m"))])
    member.leave()
    until(lambda: talk.state() == "Empty", talk.state)
    talk.ask("DeleteGroups", 3, GroupsNames=[talk.group])
    assert talk.fetch()["Topics"] == []
    again = talk.member("b")
    assert again.join()["GenerationId"] == 1
    again.sync({})
    assert talk.fetch()["Topics"] == []
