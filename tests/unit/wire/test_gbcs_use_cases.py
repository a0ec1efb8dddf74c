from __future__ import annotations

import pytest

from joinbridge.core.vocabulary import MessageCode
from joinbridge.wire.use_cases import use_case_name


@pytest.mark.parametrize("code", MessageCode)
def test_every_code_that_is_acted_on_has_the_name_it_has_in_the_vocabulary(code: MessageCode) -> None:
    name = use_case_name(code)

    assert name is not None
    assert name.upper().replace("/", "_").replace(" ", "_") == code.name


def test_an_unknown_code_has_no_name() -> None:
    assert use_case_name(0xFFFF) is None


def test_a_code_that_is_only_shown_has_a_name() -> None:
    assert use_case_name(0x0062) == "ECS70"
