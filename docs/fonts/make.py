"""Make the site's fonts: python docs/fonts/make.py FOLDER, where `npm pack` left four packages.

    npm pack @fontsource-variable/source-serif-4 @fontsource-variable/source-sans-3
    npm pack @fontsource-variable/source-code-pro @fontsource/stix-two-math

Each is cut down to the letters and the weights that the pages use, and named anew where its licence
(the SIL Open Font License, beside the fonts) asks it of changed fonts. Of the mathematics two
constants change: browsers lower an index by the depth of the letter before it, TeX does not, and
q_1 stood lower than x_1, the square of a bracket higher than that of a letter. Needs fontTools and
brotli.
"""

import io
import sys
import tarfile
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

HERE = Path(__file__).parent
LATIN = [*range(0x20, 0x7F), *range(0xA0, 0x100), 0x131, *range(0x2010, 0x2027), 0x2032, 0x2212]
MATHS = [
    *LATIN,
    *range(0x2C6, 0x2DE), *range(0x300, 0x339), *range(0x391, 0x3F6), *range(0x2016, 0x2070),
    0x20D7, 0x210B, 0x210D, 0x210E, 0x2112, 0x2113, 0x2115, 0x211A, 0x211B, 0x211D, 0x2124, 0x2130,
    *range(0x2190, 0x21DC), *range(0x2200, 0x22FF), 0x2308, 0x2309, 0x230A, 0x230B, 0x23DE, 0x23DF,
    0x27E8, 0x27E9, *range(0x27F5, 0x27FD), 0x2A7D, 0x2A7E,
    *range(0x1D400, 0x1D49C),  # bold, italic, bold italic
    *range(0x1D49C, 0x1D4B6),  # script capitals
    *range(0x1D538, 0x1D552),  # double-struck capitals
    *range(0x1D6A8, 0x1D71C),  # Greek: bold, italic
    0x1D7D8, 0x1D7D9,  # double-struck 0 and 1
]  # fmt: skip
FACES = {  # file: package, file in it, characters, limits of its axes
    "serif": ("source-serif-4", "latin-wght-normal", LATIN, {"wght": (400, 700)}),
    "serif-italic": ("source-serif-4", "latin-wght-italic", LATIN, {"wght": 400}),
    "sans": ("source-sans-3", "latin-wght-normal", LATIN, {"wght": (400, 700)}),
    "code": ("source-code-pro", "latin-wght-normal", LATIN, {"wght": (400, 600)}),
    "math": ("stix-two-math", "latin-400-normal", MATHS, {}),
}
FEATURES = ["ccmp", "kern", "liga", "locl", "mark", "mkmk", "tnum"]


def archive(folder, package):
    """Return the archive of a package that `npm pack` left in a folder."""
    (found,) = Path(folder).glob(f"*{package}-[0-9]*.tgz")
    return tarfile.open(found)


def named(font, name):
    """Give a changed font another name, as its licence asks."""
    for record in font["name"].names:
        if record.nameID in (1, 3, 4, 6, 16):
            record.string = name.replace(" ", "") if record.nameID == 6 else name


def main(folder):
    """Write each face as genlab-*.woff2, and the licence of each family."""
    total = 0
    for face, (package, file, characters, limits) in FACES.items():
        with archive(folder, package) as packed:
            font = TTFont(
                io.BytesIO(packed.extractfile(f"package/files/{package}-{file}.woff2").read())
            )
            licence = packed.extractfile("package/LICENSE").read()
        (HERE / f"LICENSE-{package}.txt").write_bytes(licence)
        if limits:
            buffer = io.BytesIO()
            instancer.instantiateVariableFont(font, limits).save(buffer)
            font = TTFont(buffer)
        features = ["*"] if face == "math" else FEATURES
        options = subset.Options(layout_features=features, notdef_outline=True)
        options.drop_tables += ["DSIG"]
        cut = subset.Subsetter(options)
        cut.populate(unicodes=characters)
        cut.subset(font)
        if face == "math":
            constants = font["MATH"].table.MathConstants
            constants.SubscriptBaselineDropMin.Value = 50
            constants.SuperscriptBaselineDropMax.Value = 380
        named(font, f"Genlab {face.partition('-')[0].title()}")
        font.flavor = "woff2"
        path = HERE / f"genlab-{face}.woff2"
        font.save(path)
        total += path.stat().st_size
        print(f"{path.name:28} {path.stat().st_size / 1000:6.1f} kB")
    print(f"{total / 1000:.1f} kB in all")


if __name__ == "__main__":
    main(sys.argv[1])
