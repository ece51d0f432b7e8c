"""`genlab read` as a learner uses it: a file, a pipe, JSON, and what cannot be read."""

import json

import pytest
from typer.testing import CliRunner

from genlab.cli import app

TEXT = "Unlike GANs, our normalizing flow samples in one pass."


def run(*arguments, text=None):
    return CliRunner().invoke(app, ["read", *map(str, arguments)], input=text)


def test_a_file_is_read(tmp_path):
    path = tmp_path / "release.txt"
    path.write_text(TEXT)
    result = run(path)
    assert result.exit_code == 0
    assert "components flow" in result.stdout
    assert "from “normalizing flow”, lesson 04" in result.stdout


def test_a_pipe_is_read_and_printed_as_json():
    result = run("-", "--json", text=TEXT)
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert (said["paradigms"], said["sampling"], said["likelihood"]) == (
        ["flow"], "one-pass", "exact"
    )  # fmt: skip
    assert all(e["phrase"] is None or e["phrase"] in TEXT for e in said["evidence"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "there is no text"),
        (b" \n ", "there is no text"),
        (b"\0\1\2", "binary"),
        (b"caf\xe9 model", "not UTF-8"),
        (b"a" * 10_000_000, "too many|bytes"),
        (b"Die Bilder werden nicht mit der Methode in einem Schritt erzeugt", "German"),
    ],
)  # fmt: skip
def test_a_bad_file_gets_one_sentence_and_status_one(tmp_path, content, message):
    path = tmp_path / "release"
    path.write_bytes(content)
    for result in (run(path), run("-", text=content)):
        assert result.exit_code == 1
        assert result.stderr.startswith("genlab: ")
        assert any(m in result.stderr for m in message.split("|"))
        assert "Traceback" not in result.stdout + result.stderr


def test_a_missing_file_and_a_folder_get_status_one(tmp_path):
    for place, message in ((tmp_path / "none", "No such file"), (tmp_path, "is a folder")):
        result = run(place)
        assert result.exit_code == 1
        assert message in result.stderr
