"""The verb `evaluate`: a model file and labelled rows in, scores with intervals out."""

from assay.cli.choices import JsonOption, ModelArgument, TableArgument


def evaluate(model_path: ModelArgument, table: TableArgument, as_json: JsonOption = False) -> None:
    """Compare a model with rows whose class is known."""
    from assay.cli.output import say, say_json, tell
    from assay.cli.render import judged_lines
    from assay.estimator import load
    from assay.ledger import Entry

    judged = load(model_path).evaluate(table)
    if as_json:
        say_json(judged)
        return
    for entry in judged["ledger"]:
        tell(str(Entry(**entry)))
    for line in judged_lines(judged):
        say(line)
