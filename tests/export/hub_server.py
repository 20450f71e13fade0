"""As much of the Hugging Face Hub as pushing a folder asks for, on this machine, in memory."""

import base64
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_SHA = "0" * 40


class Hub:
    """Repositories by id: {"private", "files": {path: bytes}}. `refuse` answers every call that
    writes with that status; `asked` are the calls, (method, path, token)."""

    def __init__(self):
        self.repos = {}
        self.asked = []
        self.refuse = 0
        self.objects = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                hub.answer(self, "GET")

            def do_POST(self):
                hub.answer(self, "POST")

            def do_PUT(self):
                hub.answer(self, "PUT")

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request, method):
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        token = (request.headers.get("authorization") or "").removeprefix("Bearer ")
        path = request.path.split("?")[0]
        self.asked.append((method, path, token))
        status, said = self.refuse, {"error": "no"}
        if not (self.refuse and method != "GET"):
            status, said = self._said(method, path, body)
        sent = json.dumps(said).encode()
        request.send_response(status)
        request.send_header("content-type", "application/json")
        request.send_header("content-length", str(len(sent)))
        request.end_headers()
        request.wfile.write(sent)

    def _said(self, method, path, body):
        if method == "PUT":
            self.objects[path.rpartition("/")[2]] = body
            return 200, {}
        asked = json.loads(body) if body and not path.endswith("/commit/main") else {}
        if path == "/api/repos/create":
            return self._create(asked)
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if path.endswith("/preupload/main"):
            return 200, {"files": [_mode(one["path"]) for one in asked["files"]]}
        if path.endswith("/info/lfs/objects/batch"):
            places = [self._place(one) for one in asked["objects"]]
            return 200, {"transfer": "basic", "objects": places}
        if path.endswith("/commit/main"):
            return self._commit(re.match(r"/api/models/(.+)/commit/main", path)[1], body)
        name = re.fullmatch(r"/api/models/([^/]+/[^/]+)", path)
        if name and name[1] in self.repos:
            return 200, self._info(name[1])
        return 404, {"error": "not found"}

    def _create(self, asked):
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        if name in self.repos:
            return 409, {
                "error": "You already created this model repo",
                "url": f"{self.url}/{name}",
            }
        private = asked.get("visibility") == "private"
        self.repos[name] = {"private": private, "files": {}}
        return 200, {"url": f"{self.url}/{name}", "name": name, "id": "1"}

    def _place(self, one):
        href = f"{self.url}/lfs/{one['oid']}"
        return {"oid": one["oid"], "size": one["size"], "actions": {"upload": {"href": href}}}

    def _commit(self, name, body):
        for line in body.decode().splitlines():
            row = json.loads(line)
            value = row["value"]
            if row["key"] == "file":
                self.repos[name]["files"][value["path"]] = base64.b64decode(value["content"])
            elif row["key"] == "lfsFile":
                self.repos[name]["files"][value["path"]] = self.objects[value["oid"]]
        url = f"{self.url}/{name}/commit/{_SHA}"
        return 200, {"commitUrl": url, "commitOid": _SHA, "success": True}

    def _info(self, name):
        repo = self.repos[name]
        siblings = [{"rfilename": one} for one in (".gitattributes", *repo["files"])]
        return {"id": name, "private": repo["private"], "siblings": siblings, "tags": []}


def _mode(path):
    large = path.endswith((".safetensors", ".gguf"))
    return {
        "path": path,
        "uploadMode": "lfs" if large else "regular",
        "shouldIgnore": False,
    }
