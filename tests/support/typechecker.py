"""How the tests check genlab's annotations at run time: an `int` is welcome where a `float` is asked for (PEP 484)."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
