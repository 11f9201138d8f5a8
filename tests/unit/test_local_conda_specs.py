"""The stand-in reads what people type for conda, and asks PyPI for the same."""

import pytest

from wrapper.local.conda.standin.specs import Spec, SpecError, parse, wants_python


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        pytest.param("numpy", "numpy", id="name"),
        pytest.param("NumPy", "numpy", id="capitals"),
        pytest.param("conda-forge::numpy", "numpy", id="channel"),
        pytest.param("numpy=1.26", "numpy==1.26.*", id="one-equals-is-a-series"),
        pytest.param("numpy=1.26.*", "numpy==1.26.*", id="series-spelt-out"),
        pytest.param("numpy==1.26.4", "numpy==1.26.4", id="two-equals-is-exact"),
        pytest.param("numpy 1.26.4", "numpy==1.26.4", id="space"),
        pytest.param("numpy=1.26.4=py311h64a7726_0", "numpy==1.26.4.*", id="build"),
        pytest.param("numpy>=1.26,<3", "numpy>=1.26,<3", id="range"),
        pytest.param("numpy >=1.26, <3", "numpy>=1.26,<3", id="range-with-spaces"),
        pytest.param("numpy!=1.26.3", "numpy!=1.26.3", id="not"),
        pytest.param("numpy~=1.26", "numpy~=1.26", id="compatible"),
        pytest.param("numpy[version='>=1.26']", "numpy>=1.26", id="bracket"),
        pytest.param("pytorch=2.5", "torch==2.5.*", id="other-name-on-pypi"),
        pytest.param("matplotlib-base", "matplotlib", id="split-package"),
        pytest.param("jupyterlab_widgets", "jupyterlab_widgets", id="underscore"),
        pytest.param("openssl>=3", None, id="every-machine-has-it"),
        pytest.param("python=3.12", None, id="python-itself"),
        pytest.param("tar", None, id="program-that-is-here"),
    ],
)
def test_a_conda_spec_becomes_a_requirement(typed: str, asked: str | None) -> None:
    assert parse(typed).requirement == asked


@pytest.mark.parametrize("typed", ["", "numpy=>1", "numpy>=1|<0.5", "=1.2", "a b c d"])
def test_what_is_no_spec_is_refused_by_name(typed: str) -> None:
    with pytest.raises(SpecError, match="InvalidMatchSpec"):
        parse(typed)


def test_a_program_that_is_not_here_is_not_silently_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SpecError, match="this machine has no `R`"):
        _ = parse("r-base").requirement


@pytest.mark.parametrize(
    ("asked", "instead"),
    [
        pytest.param("", None, id="any"),
        pytest.param(">=3.10", None, id="range-that-holds"),
        pytest.param("==3.11.*", None, id="the-machine's-own"),
        pytest.param("==3.12.*", "==3.12.*", id="one-that-exists-elsewhere"),
    ],
)
def test_the_machines_python_stands_in_and_says_so(asked: str, instead: str | None) -> None:
    assert wants_python(Spec("python", asked), "3.11.2") == instead


def test_a_python_that_nobody_has_is_an_error() -> None:
    with pytest.raises(SpecError, match="nothing provides"):
        wants_python(Spec("python", "==3.99.*"), "3.11.2")
