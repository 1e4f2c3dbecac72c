"""The Dockerfile and compose.yaml: no engine is at hand, so they are read; `scripts/image/steps.sh` runs the steps."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

import counterpoint
from counterpoint.server.config import ENV_PREFIX, Settings

ROOT = Path(__file__).parents[1]


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions with their arguments, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined)]


def last_stage() -> list[tuple[str, str]]:
    every = instructions()
    start = max(i for i, (word, _) in enumerate(every) if word == "FROM")
    return every[start:]


def test_the_base_is_pinned_and_the_same_in_both_stages() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert len(bases) == 2 and len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", bases[0])


def test_it_runs_as_a_numbered_user_without_rights() -> None:
    stage = last_stage()
    (user,) = [rest for word, rest in stage if word == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    after = [word for word, _ in stage[[word for word, _ in stage].index("USER") :]]
    assert not {"RUN", "COPY", "ADD"} & set(after), "nothing is installed after the user is set"
    assert not any(word == "ADD" for word, _ in instructions())


def test_the_health_check_asks_livez_and_fails_where_nothing_answers() -> None:
    (check,) = [rest for word, rest in last_stage() if word == "HEALTHCHECK"]
    command = json.loads(check.partition("CMD ")[2])
    assert command[0] == "python" and "/livez" in command[2]
    free = {**os.environ, "COUNTERPOINT_PORT": "9"}  # nobody listens there
    assert subprocess.run(["python3", *command[1:]], env=free, capture_output=True, timeout=30).returncode != 0


CPU_BUILDS = "https://download.pytorch.org/whl/cpu"
"""The index that PyTorch's install page names for CPU builds."""


def test_torch_is_the_cpu_build_unless_told_otherwise() -> None:
    first_stage = [word for word, _ in instructions()].index("FROM", 1)
    build = instructions()[:first_stage]
    assert ("ARG", f'PIP_EXTRA_INDEX_URL="{CPU_BUILDS}"') in build
    words = [word for word, _ in build]
    assert words.index("FROM") < words.index("ARG") < words.index("RUN"), "pip has to see it"
    (service,) = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"].values()
    assert service["build"]["context"] == "."
    # without the colon: an empty value is taken as it is, and gives the build for NVIDIA's cards
    assert service["build"]["args"] == {"PIP_EXTRA_INDEX_URL": f"${{PIP_EXTRA_INDEX_URL-{CPU_BUILDS}}}"}


def test_the_steps_script_asks_the_same_question() -> None:
    (check,) = [rest for word, rest in last_stage() if word == "HEALTHCHECK"]
    code = json.loads(check.partition("CMD ")[2])[2]
    assert code.replace('"', '\\"') in (ROOT / "scripts/image/steps.sh").read_text(encoding="utf-8")


def test_what_is_copied_is_there_and_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    for word, rest in instructions():
        if word == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert any(source == path or source.startswith(f"{path}/") for path in let_through), source


def test_every_setting_of_the_environment_is_known() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8") + (ROOT / "compose.yaml").read_text(encoding="utf-8")
    names = {name.lower() for name in re.findall(rf"\b{ENV_PREFIX}(\w+)", text)}
    assert {"host", "port", "api_keys"} <= names <= set(Settings.model_fields)


def test_no_secret_is_written_down() -> None:
    for name in ("Dockerfile", "compose.yaml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"(?i)(password|token|secret)\s*[:=]\s*\S", text)
    (service,) = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"].values()
    assert service["environment"]["COUNTERPOINT_API_KEYS"].startswith("${COUNTERPOINT_API_KEYS:?")


def test_the_service_has_no_more_rights_than_it_needs() -> None:
    (service,) = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"].values()
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"] and not service.get("privileged")
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert int(service["stop_grace_period"].removesuffix("s")) > Settings.model_fields["drain_seconds"].default
    assert service["image"] == f"counterpoint:{counterpoint.__version__}"


@pytest.mark.slow
def test_the_steps_run() -> None:
    done = subprocess.run(["bash", "scripts/image/steps.sh"], cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
