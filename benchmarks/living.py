"""From a move of a slider to a living figure's picture: python benchmarks/living.py [NAME ...].

Milliseconds, in headless Chromium without a graphics card: each slider is set to 30 values in turn,
and the time counts from the event to the moment when the picture has been painted.
"""

import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from genlab_course.widgets import living
from tests.browser.lab import CHROMIUM, FLAGS

MOVE = """async () => {
    const el = document.getElementById('figure'), times = [];
    for (const slider of el.querySelectorAll('input[type=range]'))
        for (let k = 0; k < 30; k++) {
            const painted = new Promise(done => el.addEventListener('painted', done, {once: true}));
            slider.value = +slider.min + (slider.max - slider.min) * (((k * 7) % 30) / 29);
            const begun = performance.now();
            slider.dispatchEvent(new Event('input'));
            await painted;
            times.push(performance.now() - begun);
        }
    return times;
}"""

if __name__ == "__main__":
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        page = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS).new_page()
        print(f"{'figure':<20} {'median':>7} {'90 %':>7} {'longest':>7}")
        for name in sys.argv[1:] or living.NAMES:
            path = Path(folder, "figure.html")
            path.write_text(living.page(name, "figure"), encoding="utf-8")
            page.goto(path.as_uri())
            page.wait_for_selector("#figure canvas")
            page.wait_for_timeout(500)
            times = page.evaluate(MOVE)
            late = statistics.quantiles(times, n=10)[-1]
            print(f"{name:<20} {statistics.median(times):>7.1f} {late:>7.1f} {max(times):>7.1f}")
