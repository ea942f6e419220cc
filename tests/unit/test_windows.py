"""The closed form of touched input positions against sets of positions."""

from itertools import product

from mappings.windows import coprime_steps, touched


def test_touched_equals_the_set_of_positions() -> None:
    for p, r, stride, dilation in product(range(1, 8), range(1, 6), range(1, 6), range(1, 5)):
        positions = {i * stride + j * dilation for i in range(p) for j in range(r)}
        assert touched(p, r, *coprime_steps(stride, dilation)) == len(positions), (p, r, stride, dilation)


def test_sum_over_ragged_tiles_separates() -> None:
    s, d = coprime_steps(2, 1)
    tiles_p, tiles_r = [4, 4, 3], [2, 1]
    total = sum(touched(p, r, s, d) for p in tiles_p for r in tiles_r)
    over_p, over_r = sum(max(0, p - d) for p in tiles_p), sum(max(0, r - s) for r in tiles_r)
    assert total == sum(tiles_p) * sum(tiles_r) - over_p * over_r
