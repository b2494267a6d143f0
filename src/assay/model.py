"""A trained classifier: it predicts, decides, evaluates, explains, reports and saves.

Made by `assay.train` or `assay.load`. PyTorch is never imported here.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from assay.decide import HOWS, NO_LABEL, Decisions, How, cost_matrix
from assay.encode import take_labelled
from assay.errors import UserError, did_you_mean
from assay.evaluate.drift import drift
from assay.evaluate.new_rows import judge_new_rows
from assay.explain.answers import importance_for, reasons_for, stored_importance
from assay.guard import row_flags
from assay.ledger import Ledger
from assay.modelfile import ModelContents, pack, save_model
from assay.options import ReadRecipe
from assay.read import read_table
from assay.read.cast import silently
from assay.recipe import Recipe
from assay.reference import Reference
from assay.schema import Schema
from assay.table import Table


class Model:
    """A trained classifier.

    Tables may be paths, data frames of pandas, Polars or PyArrow, dictionaries of columns, or
    lists of records; columns are matched by name.

    Attributes:
        classes: The C classes in the order of the probabilities, in the target's
            own type.
        recipe: The choices it was trained with.
        ledger: The decisions taken about the data.
        evaluation: Scores with intervals, as plain data.
    """

    def __init__(self, contents: ModelContents) -> None:
        self._contents = contents
        self.recipe: Recipe = contents.predictor.recipe
        self.ledger = Ledger.from_list(contents.ledger)
        self.evaluation: dict[str, Any] = contents.evaluation

    def __reduce__(self) -> tuple[type["Model"], tuple[ModelContents]]:
        """Let copies and pickles hold the bytes of the file; see `ModelContents`."""
        return Model, (self._contents,)

    @property
    def classes(self) -> np.ndarray:
        """The classes, shape (C,)."""
        return self._contents.predictor.target.label_array()

    @property
    def target(self) -> str:
        """Name of the column that is predicted."""
        return self._contents.predictor.target.name

    @property
    def schema(self) -> Schema:
        """Columns that are read from a table, with their kinds."""
        return self._contents.predictor.preparation.raw_schema

    @property
    def members(self) -> dict[str, np.ndarray]:
        """Weights and fitted statistics of the networks by name, leading axis K."""
        return self._contents.members

    def predict(self, table: object) -> np.ndarray:
        """Return the most probable class of each row, shape (N,).

        Raises:
            UserError: A column is missing, or a cell does not fit its column.
        """
        return self._contents.predictor.predict(self.read(table))

    def predict_proba(self, table: object) -> np.ndarray:
        """Return the probability of each class, shape (N, C), float32.

        Raises:
            UserError: As `predict`.
        """
        return self._contents.predictor.predict_proba(self.read(table))

    def decide(
        self,
        table: object,
        how: How = "label",
        *,
        cost: Mapping[str, Mapping[str, float]] | np.ndarray | None = None,
        coverage: float | None = None,
    ) -> np.ndarray:
        """Return a decision for each row, as the section [decide] of the recipe asks.

        Args:
            table: As for `predict`.
            how: "label", the likeliest class for the expected shares; "cost", the least
                expected cost; "threshold", one class against the rest; "abstain", a label
                for the rows that are sure enough; "set", all classes that may be true.
            cost: Costs instead of the model's: {true: {decided: cost}}, or (C, C).
            coverage: Share of rows whose set shall hold the true class, instead of the
                recipe's.

        Returns:
            For "set" whether each class is in the row's set, (N, C), bool; else classes,
            (N,), with None where none is named.

        Raises:
            UserError: The model does not hold what the decision needs.
        """
        decisions = self.deciding(cost=cost, coverage=coverage)
        if how not in HOWS:
            raise UserError(f"{how!r} is no way to decide", fix=did_you_mean(str(how), HOWS))
        proba = self.predict_proba(table)
        if how == "set":
            return decisions.in_set(proba)
        return self.labels(decisions.decide(proba, how))

    def deciding(
        self,
        *,
        cost: Mapping[str, Mapping[str, float]] | np.ndarray | None = None,
        coverage: float | None = None,
        where: str = "cost",
    ) -> Decisions:
        """Return what turns probabilities into decisions, with other costs or coverage.

        Args:
            cost: As for `decide`; None for the model's own.
            coverage: As for `decide`; None for the model's own.
            where: What the costs are called in messages.

        Raises:
            UserError: Costs that do not fit the classes, or a coverage not held.
        """
        predictor = self._contents.predictor
        classes = predictor.target.classes
        decisions = predictor.decisions or Decisions(classes)
        if isinstance(cost, Mapping):
            cost = cost_matrix(cost, classes, where=where)
        if cost is not None:
            decisions = decisions.with_cost(cost)
        return decisions if coverage is None else decisions.with_coverage(coverage)

    def labels(self, class_idx: np.ndarray) -> np.ndarray:
        """Return the classes at `class_idx`, (N,), in the target's own type; None for -1."""
        has_label = class_idx != NO_LABEL
        labels = self.classes[np.where(has_label, class_idx, 0)]
        if not has_label.all():
            labels = labels.astype(object)
            labels[~has_label] = None
        return labels

    def evaluate(
        self,
        table: object,
        *,
        sql: str = "",
        cost: Mapping[str, Mapping[str, float]] | np.ndarray | None = None,
        where: str = "cost",
    ) -> dict[str, Any]:
        """Compare predictions and decisions with the classes in a table.

        Args:
            table: As for `predict`, with the target column.
            sql: Query to run where the table is a database; that of the recipe is not.
            cost: Costs instead of the model's, as for `decide`.
            where: What the costs are called in messages.

        Returns:
            Scores with bootstrap intervals, scores by class, the confusion matrix, what
            the decisions cost and did, how many rows are odd, how the scores compare with
            what the training promised, and how far the table has drifted from the
            training table, as plain data; see `evaluate.new_rows.judge_new_rows`.

        Raises:
            UserError: No target column, or a class that the model does not know.
        """
        predictor, ledger = self._contents.predictor, Ledger()
        labelled = read_table(table, self._reading(sql), ledger)
        missing = self.recipe.read.missing
        features, y = take_labelled(labelled, predictor.target, ledger, missing=missing)
        decides = cost is not None or predictor.decisions is not None
        judged = judge_new_rows(
            predictor,
            features,
            y,
            decisions=self.deciding(cost=cost, where=where) if decides else None,
            reference=self._contents.reference,
            evaluation=self.evaluation,
        )
        return {**judged, "ledger": ledger.to_list()}

    def flags(self, table: object) -> list[list[str]]:
        """Return what is odd about each row, as compared with the training table.

        Args:
            table: As for `predict`; cells that do not fit their column are no error.

        Returns:
            For each of N rows its flags, such as ["Age: out of range"]; see
            `guard.row_flags`.

        Raises:
            UserError: A column is missing, or the model file is of a release that kept
                no summary of the training table.
        """
        return row_flags(self.read(table), self._contents.predictor, self._reference())

    def drift(self, table: object, proba: np.ndarray | None = None) -> list[dict[str, Any]]:
        """Compare a table with the training table, column by column.

        Args:
            table: As for `predict`.
            proba: What the model predicts for it, shape (N, C), if that is known.

        Returns:
            One for each column that is read and one for the predicted classes, as plain
            data; see `evaluate.drift.Drift`. Empty for a model file of a release that
            kept no summary of the training table.
        """
        if self._contents.reference is None:
            return []
        predictor, rows = self._contents.predictor, self.read(table)
        cast = self._cast(rows)
        proba = predictor.predict_proba(rows) if proba is None else proba
        classes = predictor.target.classes
        return [one.to_dict() for one in drift(self._contents.reference, cast, proba, classes)]

    def _cast(self, rows: Table) -> Table:
        predictor = self._contents.predictor
        with silently():  # predicting tells what was lost
            return predictor.preparation.cast(rows, predictor.recipe, is_training=False)

    @property
    def importance(self) -> dict[str, Any]:
        """How much each column matters, as measured while training; "candidates" by name.

        Raises:
            UserError: None was measured.
        """
        return stored_importance(self.evaluation)

    @property
    def reference(self) -> Reference | None:
        """The training table summed up, or None in a model of an earlier release."""
        return self._contents.reference

    def permutation_importance(
        self, table: object, *, columns: Sequence[str] | None = None, sql: str = ""
    ) -> dict[str, Any]:
        """Measure how much the log loss grows when a column's cells are shuffled.

        Args:
            table: As for `evaluate`, best of rows that the model has not learnt from.
            columns: Raw columns to measure; by default all that are used.
            sql: Query to run where the table is a database; that of the recipe is not.

        Returns:
            As `assay.explain.permutation_importance`, and what was noticed in "ledger".

        Raises:
            UserError: As `evaluate`, or a column that the model does not use.
        """
        ledger = Ledger()
        labelled = read_table(table, self._reading(sql), ledger)
        found = importance_for(self._contents.predictor, labelled, ledger, columns=columns)
        return {**found, "ledger": ledger.to_list()}

    def explain(
        self,
        table: object,
        *,
        columns: Sequence[str] | None = None,
        class_name: str | None = None,
        top: int = 5,
        background: object | None = None,
    ) -> list[dict[str, Any]]:
        """Tell for each row which cells made its prediction what it is.

        Args:
            table: As for `predict`.
            columns: Raw columns to explain by; by default all that are used, and of more
                than 50 the most important.
            class_name: The class to explain; by default the most probable of each row.
            top: Reasons of a row at the most.
            background: A table that tells what columns usually hold; by default what they
                held in the training table.

        Returns:
            For each row {"label", "class", "probability", "reasons": [{"column", "cell",
            "change"}]}: by how much the cell raises the log odds of the class over their
            mean with what the column usually holds; see `assay.explain.reasons`.

        Raises:
            UserError: As `predict`; no row, or an unknown class or column.
        """
        listed = (self.evaluation.get("importance") or {}).get("columns", [])
        return reasons_for(
            self._contents.predictor,
            self.read(table),
            self.reference,
            usual=None if background is None else self.read(background),
            columns=columns,
            class_name=class_name,
            top=top,
            order=[one["column"] for one in listed],
        )

    def save(self, path: str | Path) -> None:
        """Write the model file, whole or not at all.

        Raises:
            UserError: The place is not writable or the disk is full.
        """
        save_model(path, self._contents)

    def to_bytes(self) -> bytes:
        """Return the bytes that `save` writes."""
        return pack(self._contents)

    def report(self, *paths: str | Path, name: str = "") -> None:
        """Write the report: a page that opens offline, or JSON, or a model card.

        Args:
            paths: Where; ".html", ".json" or ".md" tells which. Several are all rendered
                before the first is written.
            name: What the report calls the model's file; by default after the first path.

        Raises:
            UserError: A name tells no format, or a place is not writable.
        """
        from assay.report.write import choose_form, render_reports, write_report

        forms = [choose_form(None, path) for path in paths]
        known = name or (Path(paths[0]).with_suffix(".assay").name if paths else "")
        texts = render_reports(self._contents, forms, name=known)
        for path, text in zip(paths, texts, strict=True):
            write_report(path, text)

    def filling_missing(self) -> "Model":
        """Return the same model, to which a column that is absent is all missing."""
        return self._with_options({"predict.missing_columns": "fill"})

    def marking_invalid(self) -> "Model":
        """Return the same model, to which a cell that does not fit its column is missing."""
        return self._with_options({"predict.invalid": "missing"})

    def _with_options(self, options: Mapping[str, Any]) -> "Model":
        predictor = self._contents.predictor
        changed = replace(predictor, recipe=predictor.recipe.with_options(options, is_stored=True))
        return Model(replace(self._contents, predictor=changed))

    def _reference(self) -> Reference:
        if self._contents.reference is None:
            raise UserError(
                "the model file keeps no summary of its training table",
                fix="Train again with this release",
            )
        return self._contents.reference

    def _reading(self, sql: str) -> ReadRecipe:
        """Return how tables are read; a query inside a file of someone else's is never run."""
        return self.recipe.read.model_copy(update={"sql": sql})

    def read(self, table: object, ledger: Ledger | None = None, *, sql: str = "") -> Table:
        """Return a table as `predict` reads it, before columns are matched.

        A table without a header, whose columns the recipe names, may lack the target.

        Args:
            table: As for `predict`.
            ledger: Told what the reader noticed.
            sql: Query to run where the table is a database; that of the recipe is not.

        Raises:
            UserError: The table cannot be read, or some row of it cannot: the rows
                that go out are those that came in.
        """
        told = Ledger() if ledger is None else ledger
        strict = self._reading(sql).model_copy(update={"max_bad_rows": 0.0})
        unlabelled = tuple(name for name in strict.names if name != self.target)
        try:
            return read_table(table, strict, told, allow_empty=True)
        except UserError as error:
            if unlabelled != strict.names:
                with contextlib.suppress(UserError):
                    shorter = strict.model_copy(update={"names": unlabelled})
                    return read_table(table, shorter, told, allow_empty=True)
            if "max_bad_rows" not in (error.fix or ""):
                raise
            fix = "Correct the rows: predict answers every row or none"
            raise UserError(error.what, where=error.where, fix=fix) from None
