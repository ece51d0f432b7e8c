"""Make the font of the site's formulas: python docs/fonts/make.py latinmodern-math.otf.

It is Latin Modern Math 1.959 (Debian's package fonts-lmodern has it) as a web font, with two
constants changed. Browsers lower an index by the depth of the letter before it, TeX does not: q_1
stood lower than x_1, and the square of a bracket higher than that of a letter. As its licence
(GUST-FONT-LICENSE.txt) asks, the changed font has another name. Needs fontTools and brotli.
"""

import sys
from pathlib import Path

from fontTools.ttLib import TTFont

font = TTFont(sys.argv[1])
constants = font["MATH"].table.MathConstants
constants.SubscriptBaselineDropMin.Value = 50  # was 200
constants.SuperscriptBaselineDropMax.Value = 380  # was 250
for record in font["name"].names:
    if record.nameID in (1, 3, 4, 6, 16):
        record.string = "GenlabMath" if record.nameID == 6 else "Genlab Math"
cff = font["CFF "].cff
cff.fontNames = ["GenlabMath"]
cff.topDictIndex[0].FullName = cff.topDictIndex[0].FamilyName = "Genlab Math"
font.flavor = "woff2"
font.save(Path(__file__).with_name("genlab-math.woff2"))
