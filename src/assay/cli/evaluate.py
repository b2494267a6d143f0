"""The verb `evaluate`: a model file and labelled rows in, scores with intervals out."""

from assay.cli.choices import (
    FillMissingOption,
    JsonOption,
    ModelArgument,
    QuietOption,
    SqlOption,
    TableArgument,
)
from assay.cli.decided import CostOption


def evaluate(
    model_path: ModelArgument,
    table: TableArgument,
    sql: SqlOption = None,
    fill_missing: FillMissingOption = False,
    cost: CostOption = None,
    as_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Compare a model with rows whose class is known, and with what was promised."""
    from assay.cli.choices import open_source
    from assay.cli.cost_file import read_cost_file
    from assay.cli.guarded import (
        decision_lines,
        drift_lines,
        flag_lines,
        one_class_lines,
        promise_lines,
    )
    from assay.cli.output import say, say_json
    from assay.cli.render import judged_lines
    from assay.cli.talk import talking
    from assay.estimator import load
    from assay.ledger import Entry

    with talking(is_quiet=is_quiet) as talk:
        model = load(model_path)
        model = model.filling_missing() if fill_missing else model
        costs = None if cost is None else read_cost_file(cost)
        judged = model.evaluate(open_source(table), sql=sql or "", cost=costs, where=cost or "cost")
        if not as_json:
            for entry in judged["ledger"]:
                talk(str(Entry(**entry)))
    if as_json:
        say_json(judged)
        return
    told = [*decision_lines(judged), *flag_lines(judged)]
    told += [*promise_lines(judged), *drift_lines(judged)]
    for line in [*one_class_lines(judged), *judged_lines(judged), *told]:
        say(line)
