"""Taking one's work along: `course.download`, `course.restore`, `course.keep`."""

import base64
import io
import os
import re
import tempfile
import time
import zipfile
from pathlib import Path

from IPython.display import HTML, FileLink, display

from genlab.files import replace_file
from genlab_course.answers import LOG
from genlab_course.copies import dated, digest, mark, read_copy, versions
from genlab_course.places import BACKUPS, MARK, folder, own_folder
from genlab_course.start_page import PAGE

MOST_LINK, MOST_BACKUPS = 20_000_000, 50_000_000  # bytes
DATA = "data:application/zip;base64,"


def pack(mine: Path) -> bytes:
    """A zip of the notebooks in a folder of copies and its progress; without large backups."""
    found = [path.relative_to(mine) for path in sorted(mine.rglob("*.ipynb"))]
    found = [p for p in found if p.name != PAGE and ".ipynb_checkpoints" not in p.parts]
    old = {path for path in found if path.parts[0] == BACKUPS}
    large = sum((mine / path).stat().st_size for path in old) > MOST_BACKUPS
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for path in (*found, Path(LOG), Path(MARK)):
            if (mine / path).is_file() and not (large and path in old):
                data = re.sub(rb"%b[\w+/=]*" % DATA.encode(), b"", (mine / path).read_bytes())
                file.writestr(path.as_posix(), data)  # without the link of an earlier download
    return buffer.getvalue()


def download() -> None:
    """Show a link to your work, one zip of working copies and progress."""
    mine = folder()
    if mine is None:
        raise FileNotFoundError("there are no working copies here: `genlab start` makes them")
    data, name = pack(mine), time.strftime("genlab-%Y-%m-%dT%H-%M-%S.zip")
    if len(data) <= MOST_LINK:
        address = DATA + base64.b64encode(data).decode()
        display(HTML(f'<a download="{name}" href="{address}">{name}</a>'))
    else:
        replace_file(mine / name, data)
        display(FileLink(os.path.relpath(mine / name)))


def restore(file: str | Path) -> None:
    """Put the work of a `download` back, and say what was done.

    Nothing is lost: a copy that differs, if you have written in it, is kept beside, dated.
    """
    mine = folder() or own_folder()
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file}: expected a zip that `course.download` made")
    with zipfile.ZipFile(file) as packed, tempfile.TemporaryDirectory() as unpacked:
        for name in packed.namelist():
            if not (mine / name).resolve().is_relative_to(mine.resolve()):
                raise ValueError(f"{file}: {name!r} lies outside the folder; nothing was restored")
        packed.extractall(unpacked)
        n_back, there = 0, Path(unpacked)
        ours, theirs = versions(mine), versions(there)
        for name in (name for name in packed.namelist() if name.endswith(".ipynb")):
            copy, data = mine / name, (there / name).read_bytes()
            if copy.exists():
                have, back = _text(copy), _text(there / name)
                if back in (have, theirs.get(name)):  # the same words, or nobody's
                    continue
                if have != ours.get(name):
                    replace_file(kept := dated(copy, copy.parent), copy.read_bytes())
                    print(f"kept:  {kept}")
            replace_file(copy, data)
            n_back += 1
            ours |= {name: theirs[name]} if name in theirs else {}
        mark(mine, ours)
        n_added = merge(there / LOG, mine / LOG)
    print(f"put back: {n_back} notebooks; added: {n_added} answers; in {mine}")


def _text(copy: Path) -> str:
    """Return a digest of what was written in a copy, "" where no notebook can be read."""
    content = read_copy(copy)
    return digest(content) if content else ""


def merge(source: Path, log: Path) -> int:
    """Add to a file of progress the lines of another that it does not hold; return how many."""
    theirs, ours = (
        p.read_text(encoding="utf-8", errors="replace").splitlines() if p.is_file() else []
        for p in (source, log)
    )
    known = {*ours, ""}
    new = [line for line in theirs if line not in known]
    if new:
        with log.open("a", encoding="utf-8") as file:
            file.write("\n".join(["", *new, ""]))
    return len(new)


def keep(place: str | Path) -> None:
    """Keep the progress of this session in a folder of yours, say on a drive; so does GENLAB_MY."""
    before, there = folder(), Path(place).expanduser().resolve()
    mark(there, versions(there))
    if before:
        merge(before / LOG, there / LOG)
    os.environ["GENLAB_MY"] = str(there)
    print(f"progress is kept in {there} from now on")
