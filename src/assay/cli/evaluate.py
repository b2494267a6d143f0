"""The verb `evaluate`: a model file and labelled rows in, scores with intervals out."""

from assay.cli.choices import JsonOption, ModelArgument, QuietOption, SqlOption, TableArgument


def evaluate(
    model_path: ModelArgument,
    table: TableArgument,
    sql: SqlOption = None,
    as_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Compare a model with rows whose class is known, and with what was promised."""
    from assay.cli.choices import open_source
    from assay.cli.guarded import drift_lines, promise_lines
    from assay.cli.output import say, say_json
    from assay.cli.render import judged_lines
    from assay.cli.talk import talking
    from assay.estimator import load
    from assay.ledger import Entry

    with talking(is_quiet=is_quiet) as talk:
        judged = load(model_path).evaluate(open_source(table), sql=sql or "")
        if not as_json:
            for entry in judged["ledger"]:
                talk(str(Entry(**entry)))
    if as_json:
        say_json(judged)
        return
    for line in [*judged_lines(judged), *promise_lines(judged), *drift_lines(judged)]:
        say(line)
