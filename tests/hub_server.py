"""As much of the Hugging Face Hub's API as its client asks for, on a port of this machine."""

import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_of_a_friend"
_PIECE = 1 << 16


class HubServer:
    """`models` maps an id to {file name: bytes}. Knobs, by a file's name:

    `hold` after so many bytes the connection brings nothing more until `let_go()`;
    `cut` after so many bytes it breaks, once; `fails`: their content is answered with 503. `gated`
    ids want TOKEN for their files.
    """

    def __init__(self):
        self.models, self.licences = {}, {}
        self.gated, self.fails, self.hold, self.cut = set(), set(), {}, {}
        self.asked = []  # (method, path, Range or "")
        self._go_on = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.hub = self
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def add(self, id, files, licence="apache-2.0"):
        self.models[id] = dict(files)
        self.licences[id] = licence

    def add_folder(self, id, folder, **more):
        self.add(id, {one.name: one.read_bytes() for one in folder.iterdir()}, **more)

    def let_go(self):
        self.hold.clear()
        self._go_on.set()

    def wait_until_let_go(self):
        self._go_on.wait(60)

    def ranges(self, name):
        """Of the requests for a file's content, in their order."""
        return [one for how, path, one in self.asked if how == "GET" and path.endswith(f"/{name}")]

    def close(self):
        self.let_go()
        self._server.shutdown()
        self._server.server_close()


def _etag(name, content):
    """Large files are called by their SHA-256, others by Git's hash of them."""
    if _is_large(name):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _is_large(name):
    return name.endswith((".safetensors", ".bin"))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self):
        return self.server.hub

    def log_message(self, *words):
        pass

    def handle(self):
        with contextlib.suppress(ConnectionError):  # whoever asked has left
            super().handle()

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        path = unquote(urlsplit(self.path).path).strip("/")
        self.hub.asked.append((self.command, path, self.headers.get("Range", "")))
        if path.startswith("api/models/"):
            return self.api(path.removeprefix("api/models/"))
        id, _, rest = path.partition("/resolve/")
        _, _, name = rest.partition("/")
        return self.file(id, name)

    def api(self, path):
        id = next((one for one in self.hub.models if path == one or path.startswith(f"{one}/")), "")
        if not id:
            return self.refuse(401, "Invalid username or password.")
        files = self.hub.models[id]
        if "/tree/" in path:
            return self.json([_entry(name, files[name]) for name in sorted(files)])
        return self.json(
            {
                "id": id,
                "sha": REVISION,
                "gated": "manual" if id in self.hub.gated else False,
                "cardData": {"license": self.hub.licences[id]},
                "siblings": [_sibling(name, files[name]) for name in sorted(files)],
            }
        )

    def file(self, id, name):
        if id not in self.hub.models:
            return self.refuse(401, "Invalid username or password.")
        if id in self.hub.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            has_token = "Authorization" in self.headers
            return self.refuse(403 if has_token else 401, "Access is restricted.", "GatedRepo")
        if name not in self.hub.models[id]:
            return self.refuse(404, "Entry not found", "EntryNotFound")
        if name in self.hub.fails and self.command == "GET":
            return self.refuse(503, "Down for a while")
        content = self.hub.models[id][name]
        begin = int(self.headers.get("Range", "bytes=0-").split("=")[1].split("-")[0])
        self.send_response(206 if begin else 200)
        self.send_header("ETag", f'"{_etag(name, content)}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        if self.command == "GET":
            self.send(name, content, begin)

    def send(self, name, content, begin):
        cut, held = self.hub.cut.pop(name, len(content)), self.hub.hold.get(name)
        for at in range(begin, cut, _PIECE):
            if held is not None and at >= held:
                self.hub.wait_until_let_go()
            self.wfile.write(content[at : min(at + _PIECE, cut)])
        self.close_connection = cut < len(content)

    def json(self, answer):
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, message, code=""):
        self.send_response(status)
        self.send_header("X-Error-Message", message)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _sibling(name, content):
    known = {"rfilename": name, "size": len(content)}
    if _is_large(name):
        pointer = {"size": len(content), "sha256": _etag(name, content), "pointerSize": 130}
        return known | {"blobId": "0" * 40, "lfs": pointer}
    return known | {"blobId": _etag(name, content)}


def _entry(name, content):
    known = {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
    if _is_large(name):
        return known | {
            "lfs": {"oid": _etag(name, content), "size": len(content), "pointerSize": 130}
        }
    return known | {"oid": _etag(name, content)}
