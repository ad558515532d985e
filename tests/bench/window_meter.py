"""A meter over HTTP that knows in which window it is asked: nobody asks it in between."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PAUSE_S = 0.7  # with less, the same window

Watts = Callable[[int, int], float | None]
"""Of the window, 0 where the meter is looked for, and the number of its readings so far; None: the
meter is gone."""


@contextlib.contextmanager
def serving(watts: Watts) -> Iterator[str]:
    """Gives the URL of a meter that says `watts`."""
    window, count, last_s = -1, 0, float("-inf")
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal window, count, last_s
            with lock:
                if time.monotonic() - last_s > _PAUSE_S:
                    window, count = window + 1, 0
                count, last_s = count + 1, time.monotonic()
                said = watts(window, count)
            if said is None:
                self.close_connection = True
                return
            body = f"{said:.4f} W\n".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/watts"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
