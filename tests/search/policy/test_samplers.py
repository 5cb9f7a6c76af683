"""Every sampler that a study may name."""

import pytest

from search.errors import SpecError
from search.policy.samplers.registry import SAMPLERS, check_sampler
from tests.contracts.sampler import SamplerContract

#: A Gaussian process is fitted anew at each question.
SLOW = {"gp": pytest.mark.slow}


class TestSamplers(SamplerContract):
    @pytest.fixture(params=[pytest.param(name, marks=SLOW.get(name, ())) for name in SAMPLERS])
    def make(self, request):
        return SAMPLERS[request.param]


def test_a_misspelt_sampler_is_told():
    with pytest.raises(SpecError, match="no such sampler: known: gp, random, tpe"):
        check_sampler("grid")
    with pytest.raises(SpecError, match="did you mean 'random'"):
        check_sampler("randon")
