"""answer_form: the same form for the service and the command line, without a web framework."""

import subprocess
import sys
from pathlib import Path

from model.decoding.options import CharProbability, Completion
from service.http.answer_form import answer_form
from service.http.schema import CompleteResponse, Usage


def test_the_form_has_all_fields_of_the_response_that_do_not_depend_on_a_session() -> None:
    completion = Completion((CharProbability("é", 0.5), CharProbability("b", 1e-7)), 5e-8, "value")
    other = Completion((CharProbability("c", 0.25),), 0.25, "line_end")
    form = answer_form(3, completion, [other], [("é", 0.5), ("c", 0.25)], "tiny")
    usage = Usage(characters_absorbed=1, steps_computed=2, steps_reused=3)
    response = CompleteResponse(session="s", version=1, **form, usage=usage, degraded=False)
    dumped = response.model_dump()
    assert {name: dumped[name] for name in form} == form
    names = list(CompleteResponse.model_fields)
    assert [name for name in names if name in form] == list(form)
    assert set(names) - set(form) == {"session", "version", "usage", "degraded"}


def test_the_command_line_writes_the_form_without_a_web_framework(root: Path) -> None:
    program = (
        "import sys, nextchar.commands.complete, service.http.answer_form; print(*sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert not set(result.stdout.split()) & {"fastapi", "starlette", "pydantic"}
