"""Voila within limits: `python -m genlab_course.demo_server` takes what `python -m voila` takes.

Whoever has the token can reach this server, and a room shares one: no visitor may stop it for the
others. A client must speak the newer protocol of kernels' messages (Voila reads the older one's
first bytes as a number of offsets, up to 10^18 of them), and no page starts one kernel too many.
A kernel waits for the next page with the imports that take most of the time in which a page opens.
"""

from datetime import UTC, datetime
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from jupyter_server.utils import ApiPath
from tornado.ioloop import IOLoop
from tornado.web import HTTPError
from traitlets import Int
from traitlets.config import Config

PROTOCOL = "v1.kernel.websocket.jupyter.org"
IMPORTS = (  # of every page
    "import anywidget, ipywidgets, matplotlib.pyplot, torch, genlab.zoo, genlab_course\n"
    "from genlab_course.widgets import explorer, living"
)
PATIENCE = 300  # seconds that they may take
AGAIN = 6  # seconds that a page has for itself before the next kernel is prepared


class FewKernels(AsyncMappingKernelManager):
    """Kernels up to a ceiling; beyond it a page is refused in a sentence, and asks again later.

    `spare` more wait, with the imports of every page, for the next pages.
    """

    most = Int(24, config=True, help="kernels at a time")
    spare = Int(0, config=True, help="kernels that wait for a page")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.starting: set[str] = set()  # some of which count as running already
        self.waiting: dict[str, str] = {}  # kernels for the next pages, and their names
        if self.spare:
            IOLoop.current().add_callback(self.prepare)

    async def prepare(self) -> None:
        """Start kernels until enough of them wait."""
        while len(self.waiting) < self.spare:
            ident, name = self.new_kernel_id(), self.default_kernel_name
            self.waiting[ident] = ""  # nobody gets it yet
            try:
                await super().start_kernel(kernel_id=ident, kernel_name=name, path=ApiPath(""))
                client = self.get_kernel(ident).client()
                client.start_channels(iopub=False, stdin=False, hb=False)
                try:
                    await client.execute(IMPORTS, silent=True, reply=True, timeout=PATIENCE)
                finally:
                    client.stop_channels()
            except Exception:
                del self.waiting[ident]  # pages start their own
                raise
            self.waiting[ident] = name

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """As before, but what waits for a page may be idle."""
        if kernel_id not in self.waiting:
            await super().cull_kernel_if_idle(kernel_id)

    async def start_kernel(self, **options: Any) -> Any:  # type: ignore[override]
        """Start one, or give one that waits; HTTP status 503 where there are too many."""
        running = self.starting.union(self.list_kernel_ids()) - self.waiting.keys()
        if len(running) >= self.most:
            said = f"{self.most} pages are open, and each is a program: close one, wait, reload"
            raise HTTPError(503, said, reason=said)  # the reason is what a page shows
        for ident, name in list(self.waiting.items()):
            if name and name == options.get("kernel_name") and not options.get("path"):
                del self.waiting[ident]
                IOLoop.current().call_later(AGAIN, self.prepare)
                if await self.is_alive(ident):
                    given: Any = self.get_kernel(ident)
                    given.last_activity = datetime.now(UTC)  # it has been idle for long
                    return ident
        ident = self.new_kernel_id()
        self.starting.add(ident)
        try:
            return await super().start_kernel(kernel_id=ident, **options)
        finally:
            self.starting.remove(ident)


def of_one_protocol(handler: Any) -> Any:
    """A handler of websockets that refuses clients of the older protocol, with HTTP status 400."""

    class OfOneProtocol(handler):
        async def pre_get(self) -> None:  # who may not enter has been refused before
            offered = self.request.headers.get("Sec-WebSocket-Protocol", "")
            if PROTOCOL not in (name.strip() for name in offered.split(",")):
                raise HTTPError(400, f"expected a client that speaks {PROTOCOL}, got {offered!r}")
            await super().pre_get()

        def select_subprotocol(self, offered: list[str]) -> str:
            return PROTOCOL

    return OfOneProtocol


def main() -> None:
    """Serve what the command line names."""
    import voila.app

    name = "VoilaKernelWebsocketHandler"
    setattr(voila.app, name, of_one_protocol(getattr(voila.app, name)))
    config = Config()
    config.VoilaConfiguration.multi_kernel_manager_class = FewKernels
    voila.app.Voila.launch_instance(config=config)


if __name__ == "__main__":
    main()
