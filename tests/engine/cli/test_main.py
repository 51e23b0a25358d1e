"""The command line: flags derived from the configuration, and one-line error messages."""

from __future__ import annotations

import argparse
import io
import runpy
import shlex
import signal
import subprocess
import sys
import types
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.cli.choose_run import find_run
from engine.cli.flags import Number, Parser, add_config_flags, flags_of, normalise_flag
from engine.cli.loggers import check_logger, open_logger
from engine.cli.main import build_parser, command_line, main
from engine.cli.progress import Progress, duration
from engine.config import PART_OF, RunConfig, fields
from engine.distributed.ranks import ALONE
from engine.generation.sampling import Sampler
from engine.presets import PRESETS
from engine.runs.events import (
    Ended,
    Evaluated,
    Message,
    Noted,
    Paused,
    Resumed,
    Sampled,
    Started,
    Stepped,
    Stop,
    Working,
)
from engine.runs.store import Run, RunStore
from engine.validation import ConfigError
from tests.tools.waiting import PATIENCE, until

ROOT = Path(__file__).resolve().parents[3]

TINY = (  # noqa: SIM905
    "--source copy --task_length 3 --max_seq_len 16 --d_model 16 --n_head 2 --n_layer 1 "
    "--batch_size 4 --total_steps 6 --warmup_steps 2 --eval_interval 3 --eval_steps 1 "
    "--save_interval 3 --device cpu --threads 1"
).split()


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def config_of(*words: str) -> RunConfig:
    options = vars(build_parser().parse(["train", *words]))
    return RunConfig.from_flat({k: v for k, v in options.items() if k in PART_OF})


def trained(root: Path, *words: str) -> Run:
    assert main(["train", *TINY, "--checkpoint_dir", str(root), *words]) == 0
    return RunStore(root).list()[0]


IMPOSSIBLE = ("0", "-3", "1e99", "99999999999999999999", "nan", "inf", "abc", "")
"""Invalid or extreme values for numeric flags."""


def commands(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[Any]:
    """Every command and its parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, part in action.choices.items():
                yield (*words, name), part
                yield from commands(part, (*words, name))


def numeric_flags() -> Iterator[tuple[tuple[str, ...], argparse.Action]]:
    for words, parser in commands(build_parser()):
        for action in parser._actions:
            shown = str(action.metavar)
            if action.option_strings and (
                shown in ("N", "X", "SECONDS") or action.type in (int, float)
            ):
                yield words, action


@pytest.mark.case("F22")
def test_every_number_is_checked_by_its_flag(capsys: pytest.CaptureFixture[str]) -> None:
    """Every numeric flag of every command rejects invalid values in one line, or parses them within its limits."""
    kinds: set[str] = set()
    for words, action in numeric_flags():
        flag, field = action.option_strings[0], action.dest
        for value in IMPOSSIBLE:
            if isinstance(action.type, Number):
                kinds.add("limits")
                reasonable = True
                try:
                    taken = action.type(value)
                    assert action.type.minimum <= taken <= action.type.maximum
                except argparse.ArgumentTypeError:
                    reasonable = False
                if not reasonable:
                    # Only this flag is wrong: missing required flags are not reported.
                    with pytest.raises(SystemExit) as end:
                        build_parser().parse([*words, f"{flag}={value}"])
                    said = capsys.readouterr().err
                    assert end.value.code == 2 and said.count("\n") == 1
                    assert f"{flag}: {value!r} must be {action.type}" in said
                continue
            check = Sampler.parse if field in Sampler.model_fields else RunConfig.from_flat
            kinds.add(check.__qualname__)
            try:
                check({field: value})
            except ConfigError as refused:
                assert any(
                    problem.field == field and problem.allowed for problem in refused.problems
                ) or any(word in str(refused) for word in (field, value))
                assert "\n" not in str(refused)
    assert len(kinds) == 3


@pytest.mark.case("F22")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("translate hallo --threads 0", "--threads: '0' must be a whole number from 1 to"),
        (
            "generate --seed 99999999999999999999",
            "seed = '99999999999999999999': must be less than 2,147,483,648",
        ),
        ("generate --max_new_tokens -3", "max_new_tokens = '-3': must be at least 0"),
        ("evaluate --length_penalty nan", "--length_penalty: 'nan' must be a number from 0 to 10"),
        ("train --threads 0", "threads = '0': must be"),
        ("train --seed 99999999999999999999", "seed = '99999999999999999999': must be"),
    ],
)
def test_a_number_that_cannot_be_is_named(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in mistake(capsys, *words.split())


def mistake(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one-line error message of an invalid command."""
    try:
        status = main(words)
    except SystemExit as ended:
        status = ended.code
    said = capsys.readouterr()
    assert status == 2 and said.out == ""
    assert said.err.startswith("python -m engine") and said.err.count("\n") == 1
    assert "Traceback" not in said.err
    return said.err


# Flags


def test_every_field_is_a_flag() -> None:
    help_text = " ".join(_help("train").split())
    for _, name, info in fields():
        assert f"--{name}" in help_text
        assert str(info.description).split(".")[0] in help_text.replace("%%", "%")


def _help(command: str) -> str:
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr("sys.stdout", out)
        patch.setenv("COLUMNS", "1000")
        build_parser().parse([command, "--help"])
    return out.getvalue()


def test_a_flag_that_may_be_on_off_or_empty_and_a_list_come_back() -> None:
    parser = Parser()
    add_config_flags(parser)
    for changes in ({"renormalise": False}, {"renormalise": True}, {"moe_layer_indices": [0, 1]}):
        config = RunConfig.from_flat({"n_experts": 4} | changes)
        assert RunConfig.from_flat(vars(parser.parse(flags_of(config)))) == config


def test_flags_set_the_fields_of_their_names() -> None:
    config = config_of(
        "--d_model", "96", "--n-layer=3", "--max-lr", "1e-3", "--bias", "--no-tie-embeddings"
    )
    assert config.changes() == {
        "d_model": 96,
        "n_layer": 3,
        "max_lr": 1e-3,
        "bias": True,
        "tie_embeddings": False,
    }
    assert config_of("--threads", "none", "--norm", "none").changes() == {"norm": "none"}


def test_the_other_names_of_flags() -> None:
    assert config_of("--theta", "500").model.rope_theta == 500
    assert config_of("--no_rms_norm").model.norm == "none"
    assert config_of("--norm_rope", "post").model.placement == "post"
    assert config_of("--no_rope").model.position == "none"
    assert config_of("--ffn_type", "silu").model.feedforward == "silu"
    assert config_of("--ffn-type", "swiglu", "--ffn_type=relu").model.feedforward == "relu"


def test_only_names_lose_their_hyphens() -> None:
    assert normalise_flag("--max-lr=1e-3") == "--max_lr=1e-3"
    assert normalise_flag("--prompt=a-b --c-d") == "--prompt=a-b --c-d"
    assert (
        normalise_flag("a-b") == "a-b"
        and normalise_flag("-1") == "-1"
        and normalise_flag("--") == "--"
    )


def test_the_command_line_gives_the_configuration_back() -> None:
    odd = "a 'b' \"c\" $d 你好-; --e"
    for changes in (
        {},
        {"d_model": 96, "bias": True, "tie_embeddings": False, "max_lr": 1.1e-3, "threads": 2},
        {"source": "text", "train_data_path": odd, "valid_data_path": "-x"},
        {"norm": "none", "position": "none", "compile": True, "min_lr": 0.0},
        *(preset.changes for preset in PRESETS.values()),
    ):
        config = RunConfig.from_flat(changes)
        command = shlex.split(command_line(config))
        assert command[:4] == ["python", "-m", "engine", "train"]
        assert config_of(*command[4:]) == config
        assert config_of(*flags_of(config)) == config


# Mistakes


def test_mistakes_are_one_line_with_status_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def said(*words: str) -> str:
        return mistake(capsys, *words)

    assert "--d_modle is not known; did you mean --d_model?" in said("train", "--d-modle", "5")
    assert "max_lr = '-1': must be greater than 0" in said("train", "--max_lr", "-1")
    assert "dtype = 'x': must be one of fp32, bf16, fp16" in said("train", "--dtype", "x")
    assert "dtype = 'fp16': needs a GPU" in said("train", "--dtype", "fp16", "--device", "cpu")
    assert "source = 'magic': must be one of" in said("train", "--source", "magic")
    assert "preset = 'magic': must be one of" in said("train", "--preset", "magic")
    assert "expected one argument" in said("train", "--d_model")
    assert "invalid choice: 'fly'" in said("fly")
    assert "required" in said()
    assert "does not exist" in said("train", "--train_data_path", str(tmp_path / "none.txt"))
    assert "No such file" in said("train", "--config", str(tmp_path / "none.json"))
    assert "cannot be combined with --preset" in said(
        "train", "--preset", next(iter(PRESETS)), "--config", "x.json"
    )
    assert "logger = 'paper': must be one of" in said("train", "--logger", "paper")
    root = str(tmp_path / "runs")
    assert "There is no run 'x'" in said("resume", "x", "--root", root)
    assert "There is no run 'x'" in said("generate", "--run", "x", "--root", root)
    assert "No such file" in said("generate", "--checkpoint", str(tmp_path / "none"))
    assert "is missing" in said("train", "--resume_from", str(tmp_path / "none"))
    assert "is missing" in said("train", "--run", str(tmp_path / "none"))
    assert "required: RUN" in said("resume")
    assert not (tmp_path / "runs").exists()


def test_an_unexpected_error_is_one_line_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> int:
        raise ZeroDivisionError("odd\nthing")

    monkeypatch.setattr("engine.cli.commands.runs.list_runs", broken)
    assert "ZeroDivisionError: odd thing" in mistake(capsys, "runs")


# Commands


def test_train_resume_generate_and_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained(tmp_path)
    assert run.name.startswith("copy: size of an item 3, context 16, width 16, 2 attention heads")
    said = capsys.readouterr().err
    assert "step 6/6" in said and "finished at step 6" in said and str(run.path) in said
    assert run.status().state == "finished"

    assert main(["generate", "--run", run.id, "--root", str(tmp_path), "--prompt", "abc>"]) == 0
    first = capsys.readouterr().out
    assert first.startswith("abc>") and first.endswith("\n")
    for words in (["--run", str(run.path)], ["--checkpoint", str(run.path / "step-000006")]):
        assert main(["generate", *words, "--prompt", "abc>"]) == 0
        assert capsys.readouterr().out == first
    greedy = ["generate", "--run", str(run.path), "--prompt", "a>", "--temperature", "0"]
    assert main([*greedy, "--max_new_tokens", "3", "--step", "3"]) == 0
    assert len(capsys.readouterr().out) <= 6
    assert "has no checkpoint of step 4, only of 0, 3, 6" in mistake(capsys, *greedy, "--step", "4")
    assert "temperature = '-1': must be at least 0" in mistake(
        capsys, "generate", "--run", str(run.path), "--temperature", "-1"
    )
    assert "你" in mistake(capsys, "generate", "--run", str(run.path), "--prompt", "你")

    assert main(["generate", "--run", str(run.path), "--max_new_tokens", "2"]) == 0
    assert capsys.readouterr().out.startswith("a")

    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{}")
    assert main(["runs", "--root", str(tmp_path)]) == 0
    table = capsys.readouterr().out
    assert run.id in table and "finished" in table and "6/6" in table
    assert "broken  damaged:" in table

    message = mistake(capsys, "resume", run.id, "--root", str(tmp_path))
    assert "all 6 steps are done" in message


def test_a_downloaded_run_writes_by_its_own_script(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained(tmp_path / "runs")
    run.download(tmp_path / "run.zip")
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        archive.extractall(tmp_path)
    script = tmp_path / f"run-{run.id}" / "generate.py"
    capsys.readouterr()
    for words, start in ((["ab>"], "ab>"), ([], "a")):
        monkeypatch.setattr("sys.argv", [str(script), *words])
        runpy.run_path(str(script))
        assert capsys.readouterr().out.startswith(start)
    assert Run(script.parent).history() == run.history()


@pytest.mark.case("F1")
@pytest.mark.parametrize("more", [[], ["--vocab_size", "60"]], ids=["", "unused tokens"])
def test_a_download_ends_where_generate_ends(
    more: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the first END, also if the model has tokens that the tokenizer lacks."""
    run = trained(tmp_path / "runs", *more)
    run.download(tmp_path / "run.zip")
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        archive.extractall(tmp_path)
    script = tmp_path / f"run-{run.id}" / "generate.py"
    capsys.readouterr()
    assert (
        main(["generate", "--run", str(run.path), "--prompt", "ab>", "--temperature", "0.8"]) == 0
    )
    written = capsys.readouterr().out
    monkeypatch.setattr("sys.argv", [str(script), "ab>"])
    runpy.run_path(str(script))
    assert capsys.readouterr().out == written
    assert "<end>" not in written and len(written) < 200


def test_an_empty_store_is_said_to_be_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--root", str(tmp_path)]) == 0
    assert "no runs" in capsys.readouterr().out


@pytest.mark.case("C26")
def test_an_empty_store_names_the_runs_that_ship(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that generate and translate use without any flag are among them."""
    assert main(["runs", "--root", str(tmp_path)]) == 0
    _, shipped = capsys.readouterr().out.splitlines()
    names = shipped.partition(": ")[2].split(", ")
    assert {"stories", "translate-german"} <= set(names)
    for name in names:
        assert find_run(name, tmp_path).checkpoints()


def test_resuming_and_forking_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path)
    newest = str(run.path / "step-000006")
    longer = ["--total_steps", "8", "--checkpoint_dir", str(tmp_path)]
    assert main(["train", "--resume_from", newest, *longer]) == 0
    child = RunStore(tmp_path).list()[0]
    assert child.info.parent == run.id and child.status().step == 8
    assert "must stay 16" in mistake(
        capsys_cleared(capsys), "train", "--resume_from", newest, "--d_model", "32"
    )
    assert main(["train", "--resume_from", str(run.path / "step-000003"), *longer[2:]]) == 0
    assert RunStore(tmp_path).list()[0].info.parent_step == 3

    stopped = RunStore(tmp_path).create(run.config, "stopped")
    stopped.send(Stop())
    assert main(["train", "--run", str(stopped.path)]) == 0
    assert stopped.status().state == "stopped"
    assert main(["train", "--resume_from", str(stopped.path)]) == 0
    assert stopped.status().state == "finished"


def capsys_cleared(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    capsys.readouterr()
    return capsys


def test_a_file_of_one_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my text.txt").write_text("so it goes on and on " * 60)
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "runs"
    words = [word for word in TINY if word not in ("--source", "copy")]
    assert (
        main(["train", *words, "--train_data_path", "my text.txt", "--checkpoint_dir", str(root)])
        == 0
    )
    (run,) = RunStore(root).list()
    assert run.config.data.source == "text"
    assert run.config.data.train_data_path == str(tmp_path / "my text.txt")


def test_presets_and_files_are_changed_by_flags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[RunConfig] = []
    monkeypatch.setattr(
        "engine.cli.commands.train._drive", lambda find, _: made.append(find(ALONE).config) or 0
    )
    name = next(iter(PRESETS))
    root = ["--checkpoint_dir", str(tmp_path)]
    assert main(["train", "--seed", "5", "--preset", name, *root]) == 0
    assert made[-1] == RunConfig.from_flat(PRESETS[name].changes | {"seed": 5})
    assert RunStore(tmp_path).list()[0].name == f"{name}: seed 5"
    (tmp_path / "mine.json").write_text(made[-1].to_json())
    assert main(["train", "--config", str(tmp_path / "mine.json"), "--seed", "6", *root]) == 0
    assert made[-1] == RunConfig.from_flat(PRESETS[name].changes | {"seed": 6})


# Processes


@pytest.mark.slow
def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    words = ["train", *TINY, "--total_steps", "100000000", "--checkpoint_dir", str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-m", "engine", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("step 3"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait() == 0
    assert "Resume with: python -m engine resume" in rest and "Traceback" not in rest
    (run,) = RunStore(tmp_path).list()
    assert run.status().state == "stopped"
    assert run.checkpoints()[-1].step == run.status().step > 0


@pytest.mark.slow
def test_the_warm_worker(tmp_path: Path) -> None:
    """The process waits, starts training at once when it gets a folder, and ends with its parent."""
    store = RunStore(tmp_path / "with space 你")
    config = RunConfig.from_flat(vars_of(TINY) | {"total_steps": 10_000_000})
    run = store.create(config, "live")

    def worker() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "engine", "train", "--run", "-"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    unused, process = worker(), worker()
    out, errors = unused.communicate(b"", PATIENCE)
    assert (unused.returncode, out.split(), errors) == (0, [b"ready"], b"")

    assert process.stdin and process.stdout and process.stderr
    assert process.stdout.readline().strip() == b"ready"
    process.stdin.write(f"{run.path}\n".encode())
    process.stdin.flush()
    until(lambda: process.poll() or any(isinstance(event, Stepped) for event in run.history()))
    status = run.status()
    assert (status.state, status.pid) == ("running", process.pid)
    process.stdin.close()
    assert process.wait(PATIENCE) == 0
    assert run.status().state == "stopped"
    assert run.checkpoints()[-1].step == run.status().step
    process.stdout.close()
    process.stderr.close()


def vars_of(words: Sequence[str]) -> dict[str, Any]:
    return config_of(*words).changes()


# Progress


def events() -> list[Message]:
    parts: dict[str, Any] = {"lr": 1e-3, "grad_norm": 1.0, "seconds": 0.01}
    return [
        Started(step=0, parameters=1234, device="cpu", dtype="fp32", threads=1, train_tokens=None),
        Evaluated(step=0, loss=3.0, accuracy=0.0),
        *(Stepped(step=n, loss=2.0, tokens=64 * n, **parts) for n in range(1, 7)),
        Noted(step=6, text="A note."),
        Sampled(step=6, prompt="Once", text=" upon\n"),
        Evaluated(step=6, loss=1.5, accuracy=0.25),
        Ended(step=6, how="finished"),
    ]


def test_progress_in_a_file_is_plain_lines() -> None:
    stream = io.StringIO()
    progress = Progress(config_of(*TINY), stream)
    for event in events():
        progress(event)
    progress.close()
    lines = stream.getvalue().splitlines()
    assert "\r" not in stream.getvalue() and len(lines) == 5
    assert lines[0] == "1,234 parameters, a task, cpu fp32, 1 thread"
    assert lines[-1].startswith("step 6/6  loss 2.000  valid 1.500  accuracy 25.0%  lr 1.00e-03")
    assert "'Once upon\\n'" in stream.getvalue()


def test_progress_in_a_terminal_is_one_line_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    progress = Progress(config_of(*TINY), stream)
    for event in events():
        progress(event)
    progress.close()
    text = stream.getvalue()
    assert text.endswith("\n") and text.count("\n") == 4
    assert all(len(part) < 60 for line in text.split("\n") for part in line.split("\r"))


def test_progress_says_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("engine.cli.progress.REDRAW_SECONDS", 0.0)
    stream = io.StringIO()
    progress = Progress(config_of(*TINY), stream)
    progress.line.live = True
    *before, last = events()
    for event in (*before, Working(step=6, task="evaluate", done=3, total=8), last):
        progress(event)
    assert stream.getvalue().rstrip().endswith("evaluating 3 of 8")


@pytest.mark.case("C8")
@pytest.mark.parametrize("every", [1, 5])
def test_progress_counts_the_steps_own_seconds(monkeypatch: pytest.MonkeyPatch, every: int) -> None:
    """Pauses, long evaluations and unlogged steps do not change the estimated time left."""
    now = iter(
        range(0, 10**6, 1000)
    )  # between any two events the clock runs on by a quarter of an hour
    monkeypatch.setattr("engine.cli.progress.perf_counter", lambda: float(next(now)))
    progress = Progress(config_of(*TINY, "--total_steps", "100"), io.StringIO())
    for step in range(every, 41, every):
        progress(
            Stepped(step=step, loss=2.0, lr=1e-3, grad_norm=1.0, tokens=64 * step, seconds=0.5)
        )
        progress(Paused(step=step))
        progress(Resumed(step=step))
        progress(Evaluated(step=step, loss=2.0))
    assert "128 tokens/s  0:30 left" in progress.describe()


def test_durations() -> None:
    assert [duration(s) for s in (0.4, 7, 754, 11_109)] == ["0:00", "0:07", "12:34", "3:05:09"]


# Loggers


class Service(types.ModuleType):
    """A fake logging package."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = types.SimpleNamespace(name=name)  # type: ignore[assignment]
        self.calls: list[Any] = []
        self.init = lambda **options: self.calls.append(("init", options))
        self.log = lambda values, step: self.calls.append((step, values))
        self.finish = lambda: self.calls.append("finish")


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_services_are_told_the_numbers(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(name)
    monkeypatch.setitem(sys.modules, name, service)
    run = trained(tmp_path, "--logger", name)
    (_, options), *calls, last = service.calls
    assert options["name"].startswith(run.name) and options["config"]["d_model"] == 16
    # A resumed run continues the same record: W&B identifies a run by its id, Trackio by its name.
    assert options["resume"] == "allow"
    assert options["id"] == run.id if name == "wandb" else run.id[:8] in options["name"]
    assert last == "finish"
    steps = [step for step, values in calls if "train/loss" in values]
    assert steps == [1, 2, 3, 4, 5, 6]
    measured = [values for _, values in calls if "valid/loss" in values]
    assert len(measured) == 3 and all("valid/accuracy" in values for values in measured)


def test_tensorboard_is_told_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []

    class Writer:
        def __init__(self, folder: Path, purge_step: int) -> None:
            written.extend([folder, f"purged from {purge_step}"])

        def add_scalar(self, tag: str, value: float, step: int) -> None:
            written.append((tag, step, value))

        def flush(self) -> None:
            written.append("flushed")

        def close(self) -> None:
            written.append("closed")

    board = types.ModuleType("torch.utils.tensorboard")
    board.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorboard", Service("tensorboard"))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", board)
    run = RunStore(tmp_path).create(RunConfig(), "a run")
    with open_logger("tensorboard", run) as log:
        for event in events():
            log(event)
    assert written[0] == run.path / "tensorboard" and written[-1] == "closed"
    assert ("valid/loss", 6, 1.5) in written and ("train/loss", 6, 2.0) in written


def test_a_logger_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.cli.loggers.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="logger = 'wandb': needs the package wandb: pip install"):
        check_logger("wandb")
