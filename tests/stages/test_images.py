"""A box is cut out of a picture with a little around it."""

import numpy as np
from myvlm_tag.stages.images import cut


def test_a_cut_has_the_same_part_of_a_box_on_each_side_and_ends_where_the_picture_ends():
    image = np.arange(100 * 80 * 3, dtype=np.uint32).astype(np.uint8).reshape(100, 80, 3)
    assert np.array_equal(cut(image, (20, 30, 40, 70), 0.25), image[20:80, 15:45])
    assert np.array_equal(cut(image, (0, 0, 40, 40), 0.5), image[:60, :60])
    assert np.array_equal(cut(image, (60, 80, 90, 120), 0), image[80:, 60:])
