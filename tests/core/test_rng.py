import torch

from genlab.core.rng import make_generator, randn


def test_equal_seeds_give_equal_noise():
    a = randn((5,), generator=make_generator(1))
    b = randn((5,), generator=make_generator(1))
    torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_different_seeds_give_different_noise():
    assert not torch.equal(
        randn((5,), generator=make_generator(1)), randn((5,), generator=make_generator(2))
    )


def test_noise_takes_the_dtype_of_like():
    assert randn((2,), like=torch.zeros(1, dtype=torch.float32)).dtype == torch.float32


def test_a_passed_generator_leaves_the_global_one_alone():
    before = torch.random.get_rng_state()
    randn((100,), generator=make_generator(0))
    assert torch.equal(before, torch.random.get_rng_state())


def test_noise_is_standard_normal_up_to_its_fourth_moment(generator):
    z = randn((200_000,), generator=generator)
    # Monte Carlo, 5 standard errors: std of z, z^2, z^4 are 1, sqrt(2), sqrt(96).
    assert abs(z.mean()) < 5 / 200_000**0.5
    assert abs((z**2).mean() - 1) < 5 * 2**0.5 / 200_000**0.5
    assert abs((z**4).mean() - 3) < 5 * 96**0.5 / 200_000**0.5
