"""Whether a model file will hold what is about to be trained: asked before hours of work.

Comes in: samples and a recipe. Goes out: nothing, or an error that tells what to leave
out. Opening a file refuses more than `file_bounds` allow; everything else that it checks,
no training can exceed: see docs/model-file.md.
"""

from itertools import pairwise

from assay.amounts import size_text
from assay.candidates.features import MAX_PLAIN_LEVELS
from assay.candidates.growth import MOST_CLASSES, growth_of, most_trees
from assay.candidates.inputs import MAX_HOT_LEVELS
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
_LEAF_BYTES = 32  # of a tree, with the split above it
_FLOAT, _HALF, _WHOLE = 4, 2, 8  # bytes
_MENDS = {
    "layers": "narrower layers (model.hidden)",
    "numbers": "fewer encode.bins",
    "levels": "another kind for the columns of most levels (kinds)",
    "texts": "a smaller encode.text_buckets",
    "simpler models": "model.prefer = 'network' or model.candidates = []",
    "trees": "model.candidates = ['logistic'] or model.prefer = 'network'",
}


def check_file_room(samples: Samples, recipe: Recipe, *, n_fits: int | None = None) -> None:
    """Refuse a training whose model file could not be opened again.

    Args:
        samples: Encoded, with all members that will be trained.
        recipe: All choices.
        n_fits: Of each simpler model; by default as many as members.

    Raises:
        UserError: Too many text columns, columns, levels or weights.
    """
    widths = recipe.model.settled(samples.arrays.n_rows).widths
    _check_texts(samples.encoder, n_layers=len(widths), n_passes=len(_shipping(recipe)))
    n_scores = int(class_codes(samples.target.n_classes).shape[1])
    _check_ngrams(samples.encoder, len(samples.split.train) * n_scores)
    _check_values(samples, recipe)
    _check_core(samples, recipe, n_fits)


def _shipping(recipe: Recipe) -> tuple[str, ...]:
    """Return what may ship: "networks", "simpler models", or a blend of both."""
    prefer, candidates = recipe.model.prefer, recipe.model.candidates
    if prefer in ("logistic", "boosting"):
        return ("simpler models",)
    return ("networks", "simpler models") if candidates and prefer != "network" else ("networks",)


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
        alone = ""
        if n_passes > 1:
            alone = "; model.prefer = 'network' or model.candidates = [] doubles the room"
        raise UserError(
            f"{len(names)} columns are text, a model file has room for {most}",
            where=f"columns {list_names([text.column for text in names])}",
            fix=f"Leave {len(names) - most} of them out (drop), or declare as many "
            '"categorical" or "identifier" (kinds)' + alone,
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


def _told_values(samples: Samples, recipe: Recipe) -> dict[str, int]:
    """Return about how many values each part that is JSON gets."""
    preparation, encoder = samples.preparation, samples.encoder
    schema = preparation.raw_schema.to_dict(), preparation.derived_schema.to_dict()
    n_columns = len(preparation.raw_schema.columns)
    n_recipe = count_values(recipe.to_dict())
    return {
        # What the recipe says of decisions is told there once more.
        "columns": count_values(schema) + count_values(encoder.to_dict()) + n_recipe,
        "golden": _GOLDEN_VALUES * n_columns,
        "reference": count_values(samples.reference.to_dict()),
        "recipe": n_recipe,
    }


def _check_values(samples: Samples, recipe: Recipe) -> None:
    encoder, n_columns = samples.encoder, len(samples.preparation.raw_schema.columns)
    if max(_told_values(samples, recipe).values()) > _spared(MAX_VALUES):
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


def _check_core(samples: Samples, recipe: Recipe, n_fits: int | None) -> None:
    n_members = len(samples.split.train)
    parts = _core_bytes(samples, recipe, n_members, n_fits)
    needed = sum(parts.values())
    if needed <= MAX_CORE_BYTES:
        return

    def fits(n_fewer: int) -> bool:
        return sum(_core_bytes(samples, recipe, n_fewer).values()) <= MAX_CORE_BYTES

    largest = max(parts, key=lambda name: parts[name])
    n_most = next(filter(fits, range(n_members - 1, 0, -1)), 0)
    fewer = f", or up to {n_most} networks (split.folds, split.repeats)" if n_most else ""
    raise UserError(
        f"{n_members} networks would make a core graph of about {size_text(needed)}, "
        f"{size_text(parts[largest])} of it {largest}; a model file holds "
        f"{size_text(MAX_CORE_BYTES)}",
        where="the model file",
        fix=f"Choose {_MENDS[largest]}{fewer}, or leave columns out (drop)",
    )


def _core_bytes(
    samples: Samples, recipe: Recipe, n_members: int, n_fits: int | None = None
) -> dict[str, int]:
    """Return about how large each part of the core graph gets, with all that may ship.

    Args:
        samples: Encoded.
        recipe: All choices.
        n_members: Networks.
        n_fits: Of each simpler model; by default as many.
    """
    shipping, encoder, n_classes = _shipping(recipe), samples.encoder, samples.target.n_classes
    n_fits = n_members if n_fits is None else n_fits
    n_scores = int(class_codes(n_classes).shape[1])
    texts = _HALF * n_scores * sum(one.n_buckets + 1 for one in encoder.text)
    parts = dict.fromkeys(_MENDS, 0)
    if "networks" in shipping:
        widths = recipe.model.settled(samples.arrays.n_rows).widths
        parts |= _network_bytes(encoder, widths, n_members, n_classes, n_scores)
        parts["texts"] += n_members * texts
    if "simpler models" in shipping:
        prefer = recipe.model.prefer
        names = (prefer,) if prefer in ("logistic", "boosting") else recipe.model.candidates
        is_linear = "logistic" in names
        n_bytes = _rival_bytes(encoder, n_classes, n_scores, is_linear=is_linear)
        parts["simpler models"] = n_fits * n_bytes
        parts["texts"] += n_fits * texts
        if "boosting" in names and (n_classes <= MOST_CLASSES or prefer == "boosting"):
            n_leaves = growth_of(samples.arrays.n_rows, n_classes).most_leaves
            parts["trees"] = most_trees(n_fits, n_classes) * n_leaves * _LEAF_BYTES
    return parts


def _network_bytes(
    encoder: TableEncoder, widths: tuple[int, ...], n_members: int, n_classes: int, n_scores: int
) -> dict[str, int]:
    """Return what the networks take without their scores of texts."""
    n_bins = sum(one.n_bins for one in encoder.numeric)
    n_bins += n_scores * sum(one.n_bins for one in encoder.text)
    n_numbers = len(encoder.numeric) + n_scores * len(encoder.text)
    n_flags = sum(one.has_flag for one in encoder.numeric)
    n_inputs = n_numbers + n_bins + n_flags + sum(map(_n_inputs, encoder.categorical))
    layers = (n_inputs, *widths, n_classes)
    n_weights = sum((below + 1) * above for below, above in pairwise(layers))
    encodings = {one.encoding for one in encoder.categorical}
    n_tables = ("one_hot" in encodings) + bool(encodings - {"one_hot", "embedding"})
    n_codes = sum(len(one.levels) + 2 for one in encoder.categorical)
    n_hot = sum(_n_inputs(one) for one in encoder.categorical if one.encoding == "one_hot")
    vectors = sum((len(one.levels) + 2) * _n_vector(one) for one in encoder.categorical)
    # Where bins, flags and levels stand is the same for all networks, and told once.
    return {
        "layers": n_members * _FLOAT * n_weights,
        "numbers": n_members * _FLOAT * (3 * n_numbers + 2 * n_bins) + _WHOLE * (n_bins + n_flags),
        "levels": n_members * _FLOAT * (vectors + n_tables * n_codes) + (_WHOLE + _FLOAT) * n_hot,
    }


def _rival_bytes(encoder: TableEncoder, n_classes: int, n_scores: int, *, is_linear: bool) -> int:
    """Return what a fit takes beside trees: scores of levels, coefficients if it `is_linear`."""
    n_levels = [len(one.levels) for one in encoder.categorical]
    scored = [n + 2 for n in n_levels if n > MAX_PLAIN_LEVELS]
    n_rival = n_scores * sum(scored)
    if is_linear:  # two inputs a number, its middle and spread; a coefficient a level
        n_numbers = len(encoder.numeric) + n_scores * (len(encoder.text) + len(scored))
        n_hot = sum(n + 2 for n in n_levels if n <= MAX_HOT_LEVELS)
        n_rival += 2 * n_numbers * (n_classes + 1) + n_hot * n_classes
    return _FLOAT * n_rival


def _n_inputs(feature: CategoricalFeature) -> int:
    if feature.encoding == "embedding":
        return feature.width
    return len(feature.levels) + 2 if feature.encoding == "one_hot" else 1


def _n_vector(feature: CategoricalFeature) -> int:
    return feature.width if feature.encoding == "embedding" else 0
