"""Seconds from asking for a demo page to its last widget: python benchmarks/demo_pages.py [NAME].

One after the other, on a server of its own, in headless Chromium of a projector's size; the first
page is opened once before, since it also loads the scripts that all pages share.
"""

import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from genlab_course import demos
from tests.browser import lab

TOKEN = "of-this-machine"
SHOWN = """n => [...document.querySelectorAll('.jp-OutputArea-output')].filter(place =>
    place.querySelector('img[src^="blob:"], canvas, textarea, .jupyter-button')).length >= n"""


def seconds(page, url, n_widgets):
    """Open a page and wait for all of its widgets; return how long it took."""
    begun = time.perf_counter()
    page.goto(url, timeout=240_000)
    page.wait_for_function(SHOWN, arg=n_widgets, timeout=240_000, polling=50)
    return time.perf_counter() - begun


if __name__ == "__main__":
    wanted = [p for p in demos.ready() if p.name in sys.argv[1:] or not sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        site, port = Path(folder, "site"), lab._free_port()
        demos.write_demos(site)
        environment, log = demos.voila_environment(site, TOKEN), Path(folder, "log")
        with log.open("w") as out:
            command = demos.voila_command(site, port)
            server = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        try:
            home = f"http://127.0.0.1:{port}/"
            lab.wait_until_up(lambda: urllib.request.urlopen(f"{home}login"), server, log)
            chromium = driver.chromium.launch(executable_path=str(lab.CHROMIUM), args=lab.FLAGS)
            window = chromium.new_page(viewport={"width": 1280, "height": 800})
            window.goto(f"{home}?token={TOKEN}")
            for k, page in enumerate([wanted[0], *wanted]):
                url = f"{home}voila/render/{page.name}.ipynb"
                took = seconds(window, url, len(page.demos))
                print(f"{page.name:<24} {took:>5.1f} s" + " (first)" * (k == 0), flush=True)
                window.goto(home)  # its kernel ends
                time.sleep(1)
        finally:
            server.terminate()
            server.wait(15)
