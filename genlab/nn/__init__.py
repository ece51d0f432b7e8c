"""Networks that know no objective."""
