"""Draw the pictures of the README from genlab itself: python docs/images/make.py."""

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import genlab_course as course

HERE = Path(__file__).parent


def main():
    """Write each picture beside this file, with no version or date in it."""
    course.begin(lesson=1)
    figure = course.draw_map(lesson=1)
    figure.savefig(HERE / "map.png", dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
