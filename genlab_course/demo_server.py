"""Voila within limits: `python -m genlab_course.demo_server` takes what `python -m voila` takes.

Whoever has the token can reach this server, and a room shares one: no visitor may stop it for the
others. A client must speak the newer protocol of kernels' messages (Voila reads the older one's
first bytes as a number of offsets, up to 10^18 of them), and no page starts one kernel too many.
"""

from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.web import HTTPError
from traitlets import Int
from traitlets.config import Config

PROTOCOL = "v1.kernel.websocket.jupyter.org"


class FewKernels(AsyncMappingKernelManager):
    """Kernels up to a ceiling; beyond it a page is refused in a sentence, and asks again later."""

    most = Int(24, config=True, help="kernels at a time")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.starting: set[str] = set()  # some of which count as running already

    async def start_kernel(self, **options: Any) -> Any:  # type: ignore[override]
        """Start one; HTTP status 503 where there are too many."""
        if len(self.starting.union(self.list_kernel_ids())) >= self.most:
            said = f"{self.most} pages are open, and each is a program: close one, wait, reload"
            raise HTTPError(503, said, reason=said)  # the reason is what a page shows
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
