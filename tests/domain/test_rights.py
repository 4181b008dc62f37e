"""Who may do what to whose mass mail."""

import pytest

from serienmail.domain.rights import Role, Users

NOBODY = Users()
ACTS = "start edit stop restart delete finish send_again pause resume remove"
TEAM = Users({"vera": Role.VIEW, "anna": Role.SEND, "bert": Role.SEND, "carla": Role.ADMINISTER}, ("root",))


def allowed(users: Users, by: str) -> str:
    """What somebody may do to what Anna created."""
    return " ".join(act for act in ACTS.split() if users.refusal(act, by, "anna") is None)


@pytest.mark.parametrize("users", [NOBODY, TEAM])
def test_the_creator_may_do_everything(users: Users) -> None:
    assert allowed(users, "anna") == ACTS


@pytest.mark.parametrize("administrator", ["carla", "root"])
def test_administrators_may_stop_and_take_away_what_others_created(administrator: str) -> None:
    assert allowed(TEAM, administrator) == "stop delete pause remove"


def test_colleagues_who_may_send_may_take_away_what_others_created() -> None:
    assert allowed(TEAM, "bert") == "delete remove"


def test_without_roles_nobody_but_the_creator_may_do_anything() -> None:
    assert allowed(NOBODY, "bert") == ""
    assert allowed(Users(administrators=("root",)), "root") == "stop delete pause remove"


@pytest.mark.parametrize(("by", "why"), [("vera", "may view only"), ("eve", "isn't among the users")])
def test_who_may_only_look_or_is_unknown_may_do_nothing_even_to_their_own(by: str, why: str) -> None:
    refused = TEAM.refusal("start", by, by)
    assert refused == f"'{by}' {why}, and this needs the role 'send'; ask an administrator."
    assert allowed(TEAM, by) == ""


@pytest.mark.parametrize(("users", "by", "may"), [
    (NOBODY, "eve", True), (Users(administrators=("root",)), "eve", False),
    (Users(administrators=("root",)), "root", True), (TEAM, "bert", False), (TEAM, "carla", True),
])  # fmt: skip
def test_an_administrator_s_task_is_everybody_s_where_there_are_no_users(users: Users, by: str, may: bool) -> None:
    assert (users.lacks(by, Role.ADMINISTER) is None) == may


def test_the_sentence_names_who_may() -> None:
    assert TEAM.refusal("send_again", "bert", "anna") == (
        "Only anna, who created this mass mail, may send again it; ask them."
    )
    assert TEAM.refusal("pause", "bert", "anna", "schedule") == (
        "Only anna, who created this schedule, or an administrator may pause it; ask them."
    )
