"""Every rule that the reader applies is a row of one table, which `genlab rules` prints."""

from typer.testing import CliRunner

from genlab.atlas.aim_table import AIMS
from genlab.atlas.kind import KINDS
from genlab.atlas.role_table import ROLES, WORDS
from genlab.atlas.rule_table import as_text, rule_table
from genlab.atlas.rules import RULES
from genlab.atlas.triggers import TRIGGERS
from genlab.cli import app


def test_every_rule_is_a_row_with_meaning_example_and_lesson():
    rows = rule_table()
    tables = (RULES, TRIGGERS, ROLES, WORDS, KINDS, AIMS)
    assert len(rows) == sum(map(len, tables))
    assert {row.kind for row in rows} == {"finds", "turns", "sentence", "weighs"}
    assert all(row.says and row.example and row.lesson for row in rows)


def test_the_command_prints_the_whole_table():
    result = CliRunner().invoke(app, ["rules"])
    assert result.exit_code == 0
    assert result.output == as_text(rule_table()) + "\n"
