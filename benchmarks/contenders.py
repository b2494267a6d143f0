"""Fit one contender on one split and save its test probabilities; run by accuracy.py.

    PYTHON contenders.py NAME TRAIN.parquet TEST.parquet TARGET SEED OUT.npz

Each contender runs in a process of its own, at its own defaults. Those that read no
text or dates get them as categories and numbers. Seconds of fit and predict are told
apart; imports and reading count for nobody.
"""

import resource
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

Fit = Callable[[pd.DataFrame, np.ndarray, int], Callable[[pd.DataFrame], np.ndarray]]


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Dates to numbers, booleans and text to strings."""
    result = frame.copy()
    for name in result:
        column = result[name]
        if pd.api.types.is_datetime64_any_dtype(column):
            result[name] = column.astype("int64") / 86_400e9
        elif pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
            result[name] = column.astype(object).where(column.notna(), None)
            result[name] = result[name].map(lambda cell: None if cell is None else str(cell))
    return result


def texts(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]


def categories(train: pd.DataFrame) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return a function that gives text columns the training table's categories."""
    known = {
        name: pd.CategoricalDtype(sorted(train[name].dropna().unique())) for name in texts(train)
    }
    return lambda frame: frame.astype(known)


def logistic(x: pd.DataFrame, y: np.ndarray, seed: int):
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    words = texts(x)
    numbers = [name for name in x if name not in words]
    encode = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            ("words", OneHotEncoder(handle_unknown="ignore"), words),
        ]
    )
    model = make_pipeline(encode, LogisticRegression(max_iter=1000)).fit(x, y)
    return model.predict_proba


def boosting(x: pd.DataFrame, y: np.ndarray, seed: int):
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    words = texts(x)
    few = [name for name in words if x[name].nunique() < 255]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    encode = ColumnTransformer([("words", codes, words)], remainder="passthrough")
    positions = [words.index(name) for name in few]
    model = HistGradientBoostingClassifier(categorical_features=positions, random_state=seed)
    return make_pipeline(encode, model).fit(x, y).predict_proba


def lightgbm(x: pd.DataFrame, y: np.ndarray, seed: int):
    from lightgbm import LGBMClassifier

    as_categories = categories(x)
    names = [f"f{idx}" for idx in range(x.shape[1])]
    model = LGBMClassifier(random_state=seed, n_jobs=2, verbose=-1)
    model.fit(as_categories(x).set_axis(names, axis=1), y)
    return lambda frame: model.predict_proba(as_categories(frame).set_axis(names, axis=1))


def xgboost(x: pd.DataFrame, y: np.ndarray, seed: int):
    from xgboost import XGBClassifier

    as_categories = categories(x)
    names = [f"f{idx}" for idx in range(x.shape[1])]
    model = XGBClassifier(random_state=seed, n_jobs=2, enable_categorical=True)
    model.fit(as_categories(x).set_axis(names, axis=1), y)
    return lambda frame: model.predict_proba(as_categories(frame).set_axis(names, axis=1))


def catboost(x: pd.DataFrame, y: np.ndarray, seed: int):
    from catboost import CatBoostClassifier

    words = texts(x)
    filled = lambda frame: frame.fillna(dict.fromkeys(words, "missing"))  # noqa: E731
    model = CatBoostClassifier(
        random_seed=seed, thread_count=2, verbose=0, cat_features=words, allow_writing_files=False
    )
    model.fit(filled(x), y)
    return lambda frame: model.predict_proba(filled(frame))


def realmlp(x: pd.DataFrame, y: np.ndarray, seed: int, n_cv: int = 1):
    from pytabkit import RealMLP_TD_Classifier

    as_categories = categories(x)
    numbers = [name for name in x if name not in texts(x)]
    medians = x[numbers].median()
    ready = lambda frame: as_categories(frame.fillna(medians))  # noqa: E731
    model = RealMLP_TD_Classifier(random_state=seed, n_cv=n_cv, device="cpu", n_threads=2)
    model.fit(ready(x), y)
    return lambda frame: model.predict_proba(ready(frame))


def realmlp_5fold(x: pd.DataFrame, y: np.ndarray, seed: int):
    return realmlp(x, y, seed, n_cv=5)


def autogluon(x: pd.DataFrame, y: np.ndarray, seed: int):
    import tempfile

    from autogluon.tabular import TabularPredictor

    train = x.assign(the_target=y)
    predictor = TabularPredictor(
        "the_target", path=tempfile.mkdtemp(), eval_metric="log_loss", verbosity=0
    ).fit(train, time_limit=60, num_cpus=2)
    return lambda frame: predictor.predict_proba(frame).to_numpy()


def ours(x: pd.DataFrame, y: np.ndarray, seed: int, **options: object):
    import assay

    model = assay.train(
        x.assign(the_target=y), "the_target",
        options={"seed": seed, "evaluate.bootstrap": 100, "kinds.the_target": "categorical",
                 **options},
    )  # fmt: skip
    return model.predict_proba


def our_network(x: pd.DataFrame, y: np.ndarray, seed: int):
    alone = {"model.prefer": "network", "model.candidates": (), "evaluate.findings": False,
             "evaluate.importance": False}  # fmt: skip
    return ours(x, y, seed, **alone)


CONTENDERS: dict[str, Fit] = {
    "assay": ours,
    "assay_network": our_network,
    "logistic": logistic,
    "boosting": boosting,
    "lightgbm": lightgbm,
    "xgboost": xgboost,
    "catboost": catboost,
    "realmlp": realmlp,
    "realmlp_5fold": realmlp_5fold,
    "autogluon": autogluon,
}


def main() -> None:
    name, train_path, test_path, target, seed, out = sys.argv[1:]
    train, test = pd.read_parquet(train_path), pd.read_parquet(test_path)
    y = train.pop(target).to_numpy()
    test = test.drop(columns=target)
    if not name.startswith("assay"):  # assay reads dates and text as they are
        train, test = plain(train), plain(test)
    fit = CONTENDERS[name]
    warm_up(name)
    started = time.perf_counter()
    predict = fit(train, y, int(seed))
    fitted = time.perf_counter()
    proba = np.asarray(predict(test), dtype=np.float64)
    predicted = time.perf_counter()
    np.savez(
        out,
        proba=proba,
        fit_s=fitted - started,
        predict_s=predicted - fitted,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def warm_up(name: str) -> None:
    """Import the contender's library, which no fit should be charged for."""
    import importlib

    modules = {"assay": "assay.pipeline", "assay_network": "assay.pipeline",
               "logistic": "sklearn.linear_model",
               "boosting": "sklearn.ensemble", "realmlp": "pytabkit", "realmlp_5fold": "pytabkit",
               "autogluon": "autogluon.tabular"}  # fmt: skip
    importlib.import_module(modules.get(name, name))


if __name__ == "__main__":
    main()
