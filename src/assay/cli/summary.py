"""What a person is told after a training: twenty lines at the most, whatever the table.

Comes in: a trained model. Goes out: what was read and set aside, the comparison, the
verdict and what was written, for a terminal. The report and `assay show` hold the rest.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.model import Model

MOST_LINES = 20
_MOST_FINDINGS = 2
_STANDARD_OUTPUT = "-"
_OF_TEST = {"accuracy": "accuracy", "log_loss": "log loss", "auroc": "AUROC"}


def summary_lines(
    model: "Model",
    table: str,
    path: str,
    *,
    elapsed_s: float,
    report: Sequence[str] = (),
) -> list[str]:
    """Return what a person wants to know after a training.

    At most `MOST_LINES` lines, unless a narrow terminal breaks the verdict into too many:
    the verdict is always told whole, and other lines make room for it.

    Args:
        model: Trained.
        table: What it was trained on, as given.
        path: Of the model file; "-" for standard output.
        elapsed_s: Seconds that it took.
        report: Where the report, its JSON twin and the model card are.
    """
    from assay.cli.compared import candidate_lines, shipped_lines, verdict_lines
    from assay.cli.render import learnt_lines, part_lines

    evaluation = model.evaluation
    compared = candidate_lines(evaluation)
    if not compared:
        compared = [*part_lines(evaluation, "validation", is_brief=True)]
        compared += shipped_lines(evaluation)
    if "validation" not in evaluation:
        compared += learnt_lines(evaluation)
    sections = [
        _read_lines(model, table, elapsed_s),
        _finding_lines(evaluation.get("findings", ())),
        [line for line in compared if line],
        _test_lines(evaluation),
        verdict_lines(evaluation)[1:],
        _budget_lines(model),
        [_written_line(path, report)],
    ]
    _make_room(sections)
    return _spaced([section for section in sections if section])


def _make_room(sections: list[list[str]]) -> None:
    """Drop lines until all fit, what is told elsewhere first; the verdict is never cut."""
    from assay.cli.compared import SHARES, clipped

    read, findings, compared, test = sections[:4]
    shares = [line for line in compared if line.startswith(f"  {SHARES} ")]  # in the verdict too
    # The first decision and the size of the networks go first, the only finding last: grave
    # ones are counted below the verdict.
    for section, line in [
        *((read, line) for line in read[2:]),
        *((findings, line) for line in findings[1:]),
        *((compared, line) for line in shares),
        *((findings, line) for line in findings[:1]),
        *((read, line) for line in read[1:2]),
    ]:
        if _n_lines(sections) > MOST_LINES:
            section.remove(line)
    room = MOST_LINES - _n_lines(sections) + len(test)
    sections[3] = clipped(test, max(room, 1)) if test else []


def _n_lines(sections: Sequence[Sequence[str]]) -> int:
    return sum(len(section) for section in sections)


def _spaced(sections: list[list[str]]) -> list[str]:
    """Join sections, with an empty line before each but the first as far as there is room."""
    n_gaps = max(min(MOST_LINES - _n_lines(sections), len(sections) - 1), 0)
    lines: list[str] = []
    for idx, section in enumerate(sections):
        is_apart = idx >= len(sections) - n_gaps  # the last ones, which matter most
        lines += ["", *section] if is_apart and idx else section
    return lines


def _read_lines(model: "Model", table: str, elapsed_s: float) -> list[str]:
    from assay.amounts import duration_text
    from assay.cli.compared import one_of
    from assay.cli.layout import counted, cut
    from assay.cli.render import classes_line

    evaluation, training = model.evaluation, model.evaluation["training"]
    return [
        f"{shown_source(table)}: {counted(evaluation['n_rows'], 'row')} to learn from, "
        f"{counted(len(model.schema.features), 'column')} read",
        one_of(f"target {cut(model.target)!r}, {classes_line(evaluation)}", indent=""),
        ledger_line(model.ledger.to_list()),
        f"{counted(training['n_members'], 'network')} of "
        f"{counted(training['n_inputs'], 'input')}, "
        f"{counted(training['n_epochs_run'], 'epoch')}, {duration_text(elapsed_s)}",
    ]


def _finding_lines(findings: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the two gravest findings, a line each; how many there are where these are mild."""
    from assay.cli.compared import one_of
    from assay.cli.layout import counted, cut

    if not findings:
        return []
    told = f"{counted(len(findings), 'finding')} in the table, all in the report"
    grave = [one for one in findings if one["severity"] != "low"][:_MOST_FINDINGS]
    if not grave:
        return [told]
    lines = [f"{one['severity']}: {cut(one['where'])}: {one['what']}" for one in grave]
    first = f"{counted(len(findings), 'finding')}, {lines[0]}"
    return [one_of(text, indent="") for text in (first, *lines[1:])]


def _test_lines(evaluation: Mapping[str, Any]) -> list[str]:
    """Return the scores of test rows in a line."""
    from assay.cli.compared import wrapped
    from assay.cli.layout import counted, ranged

    judged = evaluation.get("test")
    if not judged:
        return []
    scores = ", ".join(
        f"{label} {ranged(judged['scores'][name])}"
        for name, label in _OF_TEST.items()
        if (judged["scores"].get(name) or {}).get("estimate") is not None
    )
    of = counted(judged["n_rows"], "test row")
    text = f"{of} that no model saw: {scores}"
    return wrapped(f"{text}. {judged['note']}" if judged.get("note") else text, indent="")


def _budget_lines(model: "Model") -> list[str]:
    """Return in a line what was left out to keep to budgets, models first."""
    from assay.cli.compared import one_of

    train = model.recipe.train
    of_budgets = {"train.time": train.time, "train.memory": train.memory}
    told = [entry for entry in model.ledger if of_budgets.get(entry.undo)]
    told.sort(key=lambda entry: not entry.what.endswith("not compared"))
    if not told:
        return []
    kept_to = " and ".join(dict.fromkeys(of_budgets[entry.undo] for entry in told))
    return [one_of(f"to keep to {kept_to}: {'; '.join(entry.what for entry in told)}", indent="")]


def _written_line(path: str, report: Sequence[str]) -> str:
    from assay.cli.layout import heading
    from assay.cli.output import one_line

    place = "to standard output" if path == _STANDARD_OUTPUT else one_line(path)
    if report:
        place += f" and {', '.join(one_line(one) for one in report)}"
    return f"{heading('Written')} {place}"


def ledger_line(ledger: Sequence[Mapping[str, str]]) -> str:
    """Return how many decisions were taken about the data, who tells them, and the first.

    Args:
        ledger: Of the model, as plain data.
    """
    from assay.cli.compared import one_of
    from assay.cli.layout import counted
    from assay.ledger import Entry

    if not ledger:
        return "no decision was taken about the data: every cell is used as it stands"
    told = counted(len(ledger), "decision") + " about the data"
    where = " (all: assay show)" if len(ledger) > 1 else ""
    return one_of(f"{told}{where}: {Entry(**ledger[0])}", indent="")


def shown_source(table: str) -> str:
    """Return how a table is called, without the password of a database.

    Example:
        >>> shown_source("postgresql://reader:secret@host/sales"), shown_source("-")
        ('postgresql://reader:***@host/sales', 'standard input')
    """
    from assay.cli.output import one_line
    from assay.read.secrets import mask_password

    return "standard input" if table == "-" else one_line(mask_password(table))
