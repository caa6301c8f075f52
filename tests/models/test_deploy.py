"""The compose and Kubernetes examples: well-formed, of one mind, and with options that our command has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer
import yaml

from reasonflux_agent.cli import app
from reasonflux_agent.models import load_model

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
VLLM = ["python3", "-m", "vllm.entrypoints.openai.api_server"]


def containers() -> dict[str, dict[str, Any]]:
    """File and service -> {"command": [...], "args": [...], "env": {...}}."""
    found = {}
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    for name, service in compose["services"].items():
        own = {"command": service.get("entrypoint", []), "args": service["command"], "env": service.get("environment", {})}
        found[f"compose {name}"] = own
    for part in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")):
        if part["kind"] in ("Deployment", "StatefulSet"):
            (one,) = part["spec"]["template"]["spec"]["containers"]
            env = {item["name"]: item.get("value", "") for item in one.get("env", [])}
            found[f"kubernetes {part['metadata']['name']}"] = {**one, "command": one.get("command", []), "env": env}
    return found


def server_commands() -> dict[str, list[str]]:
    """The arguments that vLLM is given."""
    return {name: one["args"] for name, one in containers().items() if one["command"] == VLLM}


def test_both_files_run_the_same_servers() -> None:
    commands = server_commands()
    assert set(commands) == {f"{file} {role}" for file in ("compose", "kubernetes") for role in ("navigator", "solver")}
    for role in ("navigator", "solver"):
        assert commands[f"compose {role}"] == commands[f"kubernetes {role}"]


def test_our_command_has_the_options_and_understands_the_specs() -> None:
    for name, one in containers().items():
        if not name.endswith("reasonflux"):
            continue
        verb, *options = one["args"]
        command = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
        given = command.make_context(verb, list(options), resilient_parsing=True).params
        assert given["host"] == "0.0.0.0"
        assert "REASONFLUX_API_KEY" in one["env"]
        for role in ("navigator", "solver"):
            model: Any = load_model(given[role])
            served = server_commands()[f"{name.split()[0]} {role}"]
            assert f"--served-model-name={model.model_name}" in served
            assert all(url.endswith(":8000/v1") for url in model.urls)
        (length,) = (int(re.sub(r"\D", "", a)) for a in server_commands()["compose solver"] if a.startswith("--max-model-len"))
        assert int(one["env"]["REASONFLUX_MAX_TOKENS"]) + 4096 <= length


def test_kubernetes_selectors_find_their_pods() -> None:
    parts = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))
    labels = {p["metadata"]["name"]: p["spec"]["template"]["metadata"]["labels"] for p in parts if p["kind"] != "Service"}
    for service in (part for part in parts if part["kind"] == "Service"):
        assert service["spec"]["selector"] == labels[service["metadata"]["name"]]
    for part in parts:
        if part["kind"] != "Service":
            assert part["spec"]["selector"]["matchLabels"] == labels[part["metadata"]["name"]]
