"""Taking one's work along: `course.download`, `course.restore`, `course.keep`."""

import base64
import io
import os
import re
import tempfile
import time
import zipfile
import zlib
from pathlib import Path

from IPython.display import HTML, FileLink, display

from genlab.files import replace_file
from genlab_course.answers import LOG
from genlab_course.copies import dated, digest, mark, read_copy, versions
from genlab_course.places import BACKUPS, MARK, at_home, folder, own_folder
from genlab_course.start_page import PAGE

MOST_LINK, MOST_BACKUPS, MOST_UNPACKED = 20_000_000, 50_000_000, 500_000_000  # bytes
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


def download(name: str = "") -> None:
    """Show a link to your work, one zip of working copies and progress.

    The file carries `name`: yours, or the pseudonym by which your class knows you.
    """
    mine = folder()
    if mine is None:
        raise FileNotFoundError("there are no working copies here: `genlab start` makes them")
    who = re.sub(r"[^\w.-]+", "-", name).strip("-.")[:40]
    data = pack(mine)
    file = f"{time.strftime('%Y-%m-%dT%H-%M-%S')}.zip"
    file = f"genlab-{who}-{file}" if who else f"genlab-{file}"
    if len(data) <= MOST_LINK:
        address = DATA + base64.b64encode(data).decode()
        display(HTML(f'<a download="{file}" href="{address}">{file}</a>'))
    else:
        replace_file(mine / file, data)
        display(FileLink(os.path.relpath(mine / file)))


def restore(file: str | Path) -> None:
    """Put the work of a `download` back, and say what was done, and what was not and why.

    Nothing is lost: a copy that differs, if you have written in it, is kept beside, dated.
    ValueError for what is no such zip, leads out of the folder or is too large.
    """
    mine = folder() or own_folder()
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file}: expected a zip that `course.download` made")
    with zipfile.ZipFile(file) as packed, tempfile.TemporaryDirectory() as place:
        for name in packed.namelist():
            if not (mine / name).resolve().is_relative_to(mine.resolve()):
                raise ValueError(f"{file}: {name!r} lies outside the folder; nothing was restored")
        try:
            unpacked = _unpack(packed, there := Path(place))
        except (RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            said = f"{file}: expected a zip that `course.download` made ({error})"
            raise ValueError(said) from error
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
        n_back = 0
        ours = versions(mine)
        theirs = versions(there)
        for name, source in unpacked.items():
            try:
                if not _put_back(source, mine / name, ours.get(name), theirs.get(name)):
                    continue
            except (OSError, ValueError) as error:
                print(f"not put back: {name} ({getattr(error, 'strerror', None) or error})")
                continue
            n_back += 1
            ours |= {name: theirs[name]} if name in theirs else {}
        mark(mine, ours)
        n_added = merge(there / LOG, mine / LOG)
    print(f"put back: {n_back} notebooks; added: {n_added} answers; in {mine}")


def _unpack(packed: zipfile.ZipFile, there: Path) -> dict[str, Path]:
    """Unpack the notebooks, each by a number as names may be anything, with mark and log."""
    wanted = [i for i in packed.infolist() if i.filename.endswith(".ipynb")]
    wanted += [i for i in packed.infolist() if i.filename in (MARK, LOG)]
    if (size := sum(info.file_size for info in wanted)) > MOST_UNPACKED:
        raise ValueError(f"{size:,} bytes are packed in it; at most {MOST_UNPACKED:,} are unpacked")
    places = {}
    for number, info in enumerate(wanted):
        name = info.filename
        place = there / (name if name in (MARK, LOG) else str(number))
        place.write_bytes(packed.read(info))
        places[name] = place
    return {name: place for name, place in places.items() if name not in (MARK, LOG)}


def _put_back(source: Path, copy: Path, ours: str | None, theirs: str | None) -> bool:
    """Put a notebook in a copy's place; False where it is that already, or holds nobody's words."""
    back = _text(source)
    if not back:
        raise ValueError("no notebook")
    if os.path.lexists(copy):
        have = _text(copy)
        if back in (have, theirs):
            return False
        if have != ours:
            replace_file(kept := dated(copy, copy.parent), copy.read_bytes())
            print(f"kept:  {kept}")
    replace_file(copy, source.read_bytes())
    return True


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
    before = folder()
    there = at_home(str(place), "the folder").resolve()
    mark(there, versions(there))
    if before:
        merge(before / LOG, there / LOG)
    os.environ["GENLAB_MY"] = str(there)
    print(f"progress is kept in {there} from now on")
