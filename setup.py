"""A wheel carries the lessons and labs, without outputs: pyproject.toml says everything else."""

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))


class BuildWithLessons(build_py):
    """Writes `genlab_course/lessons` into what is packed; an editable install has `notebooks`."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            from genlab.files import replace_file
            from genlab_course.copies import as_bytes, fresh
            from genlab_course.places import shipped

            for name, path in shipped(ROOT / "notebooks").items():
                lesson = fresh(path)
                for cell in lesson["cells"]:
                    if cell["cell_type"] == "code":
                        cell["outputs"] = []
                target = Path(self.build_lib, "genlab_course", "lessons", name)
                replace_file(target, as_bytes(lesson))


setup(cmdclass={"build_py": BuildWithLessons})
