"""`labelmass serve`: the scorer behind the wires that clients speak."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass
from typing import ClassVar

import click

from labelmass._ranges import COUNT
from labelmass._settings import setting
from labelmass.answers.search import Budget
from labelmass.cli.declare import as_command
from labelmass.cli.exits import Exit
from labelmass.cli.models import load_model, load_task
from labelmass.cli.options import CuttingOptions, ModelOptions, PromptOptions
from labelmass.cli.planning import MethodOptions, make_plan
from labelmass.cli.progress import say
from labelmass.scoring.scorer import Scorer
from labelmass.service.keys import Keys
from labelmass.service.names import Names
from labelmass.service.serving import check_extra, make_server
from labelmass.service.settings import ServiceSettings


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    section: ClassVar[str] = "Run"

    batch_size: int = setting(16, "Number of texts explored side by side.", within=COUNT)
    check: bool = setting(False, "Make one request of each face, show the answers, and exit.")


@as_command("serve")
def command(
    prompt: PromptOptions,
    model: ModelOptions,
    method_options: MethodOptions,
    budget: Budget,
    cutting: CuttingOptions,
    settings: ServiceSettings,
    run: ServeOptions,
) -> None:
    """Serve a task or guard over HTTP, with the numbers that `labelmass score` gives.

    Its faces are OpenAI's moderations and decisions, Perspective's comments, LiteLLM's generic
    guardrail, Label Studio's predictions, and our own /v1/labels. What is decided, --policy says.
    A file of policy, names or keys that changes is read anew; one that is wrong changes nothing.

    \b
    Examples:
      labelmass serve --guard llama-guard-3 --model vllm:http://gpu:8000 --policy policy.toml
      labelmass serve --task topics --check
    """
    check_extra()
    if settings.keys is not None:
        Keys.load(settings.keys)  # before a model is loaded
    task = load_task(prompt, model)
    if settings.names is not None:
        Names.load(settings.names, task.label_names)
    plan = make_plan(task, method_options, budget, max_text_tokens=cutting.max_text_tokens)
    scorer = Scorer.of_plan(plan, load_model(model.model, model, task), batch_size=run.batch_size)
    server = make_server(scorer, settings, method_options.policy)
    for line in server.service.notes:
        say(line)
    if not run.check:
        server.run()
        return
    from labelmass.service.checking import check

    answers = check(server.service)
    for one in answers:
        click.echo(f"{one.status} {one.path}\n    {textwrap.shorten(one.note, 76)}")
    if any(one.failed for one in answers):
        sys.exit(Exit.FAILED)
