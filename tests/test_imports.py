"""Imports without collections of garbage."""

import gc

import pytest

from engine.imports import importing


@pytest.fixture(autouse=True)
def thawed():
    """What the tests freeze is looked at again, as before."""
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_nothing_is_collected_meanwhile_nor_looked_at_later():
    with importing():
        assert not gc.isenabled()
        made = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1000
    assert not {id(one) for one in made} & {id(one) for one in gc.get_objects()}


def test_it_is_collected_again_after_an_import_that_fails():
    with pytest.raises(ImportError), importing():
        raise ImportError
    assert gc.isenabled()
