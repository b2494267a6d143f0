"""Whether a model file will hold what is about to be trained: asked before hours of work.

Comes in: samples and a recipe. Goes out: nothing, or an error that tells what to leave
out. Opening a file refuses more than `file_bounds` allow; everything else that it checks,
no training can exceed: see docs/model-file.md.
"""

from assay.amounts import size_text
from assay.encode.features import CategoricalFeature, list_names
from assay.encode.table_encoder import TableEncoder
from assay.encode.target import class_codes
from assay.errors import UserError
from assay.file_bounds import (
    MAX_CORE_BYTES,
    MAX_NODES,
    MAX_VALUES,
    NUMBERS_PER_CONSTANT,
    ROW_NUMBERS,
    count_values,
)
from assay.recipe import Recipe
from assay.samples import Samples

_TEXT_NODES = 11  # of `nn.core_graph.add_text_scores`, a column
_LAYER_NODES, _OTHER_NODES = 12, 500
_GOLDEN_VALUES = 11  # a column
_HISTORY_VALUES = 3  # an epoch and network
_TREE_BYTES = 64 << 20  # of boosting, at the most about
_FLOAT, _HALF, _WHOLE = 4, 2, 8  # bytes


def check_file_room(samples: Samples, recipe: Recipe) -> None:
    """Refuse a training whose model file could not be opened again.

    Args:
        samples: Encoded, with all members.
        recipe: All choices.

    Raises:
        UserError: Too many text columns, columns, levels or weights.
    """
    widths = recipe.model.settled(samples.arrays.n_rows).widths
    has_rivals = bool(recipe.model.candidates) or recipe.model.prefer in ("logistic", "boosting")
    _check_texts(samples.encoder, n_layers=len(widths), n_passes=1 + has_rivals)
    n_scores = int(class_codes(samples.target.n_classes).shape[1])
    _check_ngrams(samples.encoder, len(samples.split.train) * n_scores)
    _check_values(samples, recipe)
    needed = _core_bytes(samples, widths, n_passes=1 + has_rivals)
    if needed > MAX_CORE_BYTES:
        raise UserError(
            f"{len(samples.split.train)} networks would make a core graph of about "
            f"{size_text(needed)}, a model file holds {size_text(MAX_CORE_BYTES)}",
            where=f"model.hidden = {list(widths)}",
            fix="Choose narrower layers, fewer networks (split.repeats) or a smaller "
            "encode.text_buckets, or leave columns out (drop)",
        )


def most_texts(*, n_layers: int, n_passes: int) -> int:
    """Return how many text columns a core graph has room for.

    Args:
        n_layers: Of a network.
        n_passes: How often texts are scored: by networks, and for simpler models.

    Example:
        >>> most_texts(n_layers=2, n_passes=2)
        885
    """
    left = MAX_NODES - _OTHER_NODES - _LAYER_NODES * n_layers
    return max(left // (_TEXT_NODES * n_passes), 0)


def _check_texts(encoder: TableEncoder, *, n_layers: int, n_passes: int) -> None:
    most, names = most_texts(n_layers=n_layers, n_passes=n_passes), encoder.text
    if len(names) > most:
        raise UserError(
            f"{len(names)} columns are text, a model file has room for {most}",
            where=f"columns {list_names([text.column for text in names])}",
            fix=f"Leave {len(names) - most} of them out (drop), or declare as many "
            '"categorical" or "identifier" (kinds)',
        )


def _check_ngrams(encoder: TableEncoder, n_scores: int) -> None:
    """Refuse texts of far more n-grams than weights, of which a row would take too much.

    Args:
        encoder: With texts, or without.
        n_scores: Scores of a text, of all networks together.
    """
    held = sum(text.n_ngrams for text in encoder.text) * (4 + 2 * n_scores)
    stored = sum(text.n_buckets for text in encoder.text) * n_scores
    if 2 * held > ROW_NUMBERS and held > NUMBERS_PER_CONSTANT * stored:
        raise UserError(
            "the texts are too long for so few buckets",
            where="encode.text_buckets",
            fix="Choose more, fewer n-grams (encode.text_ngrams), or leave texts out (drop)",
        )


def _check_values(samples: Samples, recipe: Recipe) -> None:
    preparation, encoder = samples.preparation, samples.encoder
    schema = preparation.raw_schema.to_dict(), preparation.derived_schema.to_dict()
    n_columns = len(preparation.raw_schema.columns)
    n_recipe = count_values(recipe.to_dict())
    parts = {
        # What the recipe says of decisions is told there once more.
        "columns": count_values(schema) + count_values(encoder.to_dict()) + n_recipe,
        "golden": _GOLDEN_VALUES * n_columns,
        "reference": count_values(samples.reference.to_dict()),
        "recipe": n_recipe,
    }
    if max(parts.values()) > _spared(MAX_VALUES):
        largest = max(encoder.categorical, key=lambda one: len(one.levels), default=None)
        n_levels = sum(len(one.levels) for one in encoder.categorical)
        most = "" if largest is None else f", {len(largest.levels):,} in {largest.column!r}"
        raise UserError(
            f"{n_columns:,} columns with {n_levels:,} levels{most} are more than a model file "
            "can describe",
            where="the model file",
            fix="Leave columns out (drop), or declare those of most levels "
            '"text" or "identifier" (kinds)',
        )
    _check_history(samples, recipe)


def _check_history(samples: Samples, recipe: Recipe) -> None:
    n_epochs, n_members = recipe.train.epochs, len(samples.split.train)
    if isinstance(n_epochs, int) and _HISTORY_VALUES * n_epochs * n_members > _spared(MAX_VALUES):
        most = _spared(MAX_VALUES) // (_HISTORY_VALUES * n_members)
        raise UserError(
            f"the losses of {n_epochs:,} epochs of {n_members} networks are more than a model "
            "file can tell",
            where="train.epochs",
            fix=f"Choose up to {most:,}",
        )


def _spared(most: int) -> int:
    """Leave a quarter for scores, findings and what else is told beside it."""
    return most * 3 // 4


def _core_bytes(samples: Samples, widths: tuple[int, ...], *, n_passes: int) -> int:
    """Return about how large the core graph gets, all candidates in it."""
    encoder, n_members = samples.encoder, len(samples.split.train)
    n_classes = samples.target.n_classes
    n_scores = int(class_codes(n_classes).shape[1])
    n_bins = sum(one.n_bins for one in encoder.numeric)
    n_bins += n_scores * sum(one.n_bins for one in encoder.text)
    n_numbers = len(encoder.numeric) + n_scores * len(encoder.text)
    n_inputs = n_numbers + n_bins + sum(one.has_flag for one in encoder.numeric)
    n_inputs += sum(map(_n_inputs, encoder.categorical))
    layers = (n_inputs, *widths, n_classes)
    n_weights = sum(layers[idx] * layers[idx + 1] for idx in range(len(layers) - 1))
    n_codes = sum(len(one.levels) + 2 for one in encoder.categorical)
    tables = sum((len(one.levels) + 2) * _n_vector(one) for one in encoder.categorical)
    n_buckets = sum(one.n_buckets + 1 for one in encoder.text)
    a_member = _FLOAT * (n_weights + 3 * n_numbers + 2 * n_bins + tables) + _WHOLE * n_codes
    a_member += n_passes * _HALF * n_scores * n_buckets
    if n_passes > 1:  # numbers, flags and levels of a regression; scores of levels, twice
        a_member += _FLOAT * (2 * n_numbers * (n_classes + 1) + n_codes * (n_classes + n_scores))
    return n_members * a_member + (_TREE_BYTES if n_passes > 1 else 0)


def _n_inputs(feature: CategoricalFeature) -> int:
    if feature.encoding == "embedding":
        return feature.width
    return len(feature.levels) + 2 if feature.encoding == "one_hot" else 1


def _n_vector(feature: CategoricalFeature) -> int:
    return feature.width if feature.encoding == "embedding" else 0
