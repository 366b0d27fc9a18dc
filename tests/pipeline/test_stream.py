"""How many actors a pipeline gets, and what each asks for."""

from typing import ClassVar

import pyarrow as pa
import pytest
from myvlm_tag.pipeline.cluster import Resources
from myvlm_tag.pipeline.stream import Stream
from myvlm_tag.schemas.settings import Settings
from myvlm_tag.stages.base import Stage
from myvlm_tag.stages.decode import Decode

GB = 10**9


class Large(Stage):
    """A model of 14 gigabytes that likes a GPU."""

    name: ClassVar[str] = "large"
    needs: ClassVar[pa.Schema] = pa.schema([])
    gives: ClassVar[pa.Schema] = pa.schema([])
    gpus: ClassVar[float] = 1.0

    @property
    def memory(self):
        return 14 * GB

    def __call__(self, table):
        return table


@pytest.mark.parametrize(
    ("resources", "actors", "cpus"),
    [
        (Resources(16, 0, 64 * GB), 4, 4),
        (Resources(16, 0, 50 * GB), 2, 6),  # three fit, but sixteen CPUs give two of them six each
        (Resources(2, 0, 64 * GB), 2, 1),
        (Resources(8, 0, 10 * GB), 1, 8),  # it may be swapped, but there is no other way
        (Resources(16, 0), 16, 1),  # memory unknown, on a cluster
    ],
)
def test_as_many_large_models_as_fit_into_memory_share_the_cpus(resources, actors, cpus):
    stages = [Decode(), Large()]
    stream = Stream(stages, [], Settings(), resources)
    assert stream.actors(stages) == actors
    assert stream.demand(stages) == {"num_cpus": cpus}


def test_small_models_get_a_cpu_each():
    stream = Stream([Decode()], [], Settings(), Resources(16, 0, 1 * GB))
    assert (stream.actors([Decode()]), stream.demand([Decode()])) == (16, {"num_cpus": 1})


def test_a_gpu_is_asked_for_where_there_is_one():
    stream = Stream([Large()], [], Settings(), Resources(16, 2, 1 * GB))
    assert (stream.actors([Large()]), stream.demand([Large()])) == (2, {"num_cpus": 1, "num_gpus": 1})
