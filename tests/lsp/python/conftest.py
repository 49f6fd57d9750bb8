"""A client of pytest-lsp for each editor whose capabilities it knows."""

import asyncio
import os
import pathlib

import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

PROGRAM = """llmp 1

use { books } from "./data.llmp"

dataset clean = books |> detect_language() |> keep_if(.lang == "en") |> dedup_minhash() |> split(heldout = 2%)

tokenizer tok = bpe(train_on = clean, vocab = 4096)

model tiny {
  tokenizer = tok
  layers    = 4
  width     = 192
  heads     = 6
  kv_heads  = 2
  context   = 256
}

pretrain core {
  model  = tiny
  data   = clean
  tokens = 4M
}

eval quality { model = core, suites = [bits_per_byte(clean.heldout)] }
"""

BOOKS = 'llmp 1\n\nsource books = text("books/*.txt")\n'


class Desk:
    """Open documents, with what an editor does to them."""

    def __init__(self, client: LanguageClient, folder: pathlib.Path):
        self.client = client
        self.folder = folder
        self.texts: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        (folder / "main.llmp").write_text(PROGRAM)
        (folder / "data.llmp").write_text(BOOKS)
        self.main = (folder / "main.llmp").as_uri()
        self.data = (folder / "data.llmp").as_uri()

    def open(self, uri: str, text: str):
        self.texts[uri], self.versions[uri] = text, 1
        item = types.TextDocumentItem(uri=uri, language_id="llmp", version=1, text=text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=item))

    def position(self, uri: str, offset: int) -> types.Position:
        before = self.texts[uri][:offset]
        return types.Position(line=before.count("\n"), character=offset - (before.rfind("\n") + 1))

    def offset(self, uri: str, at: types.Position) -> int:
        lines = self.texts[uri].split("\n")
        return sum(len(line) + 1 for line in lines[: at.line]) + at.character

    def range(self, uri: str, start: int, end: int) -> types.Range:
        return types.Range(start=self.position(uri, start), end=self.position(uri, end))

    def behind(self, uri: str, text: str) -> types.Position:
        return self.position(uri, self.texts[uri].index(text) + len(text))

    def edit(self, uri: str, start: int, end: int, text: str):
        change = types.TextDocumentContentChangePartial(range=self.range(uri, start, end), text=text)
        self.texts[uri] = self.texts[uri][:start] + text + self.texts[uri][end:]
        self.versions[uri] += 1
        document = types.VersionedTextDocumentIdentifier(uri=uri, version=self.versions[uri])
        params = types.DidChangeTextDocumentParams(text_document=document, content_changes=[change])
        self.client.text_document_did_change(params)

    def replace(self, uri: str, old: str, new: str):
        at = self.texts[uri].index(old)
        self.edit(uri, at, at + len(old), new)

    def apply_edits(self, uri: str, edits):
        places = [(self.offset(uri, e.range.start), self.offset(uri, e.range.end), e.new_text) for e in edits]
        for start, end, text in sorted(places, reverse=True):
            self.edit(uri, start, end, text)

    def apply(self, edit: types.WorkspaceEdit):
        for change in edit.document_changes or []:
            self.apply_edits(change.text_document.uri, change.edits)
        for uri, edits in (edit.changes or {}).items():
            self.apply_edits(uri, edits)

    def identifier(self, uri: str) -> types.TextDocumentIdentifier:
        return types.TextDocumentIdentifier(uri=uri)

    async def diagnostics(self, uri: str):
        """Asked for where the editor does so, else waited for until they are of the newest text."""
        if self.client.capabilities.text_document.diagnostic is not None:
            params = types.DocumentDiagnosticParams(text_document=self.identifier(uri))
            report = await self.client.text_document_diagnostic_async(params)
            return [d for d in report.items if d.severity != types.DiagnosticSeverity.Information]
        for _ in range(2000):
            if self.client.versions.get(uri) == self.versions[uri]:
                break
            await asyncio.sleep(0.01)
        assert self.client.versions.get(uri) == self.versions[uri], "no diagnostics of the newest text"
        return [d for d in self.client.diagnostics[uri] if d.severity != types.DiagnosticSeverity.Information]


@pytest_lsp.fixture(
    config=ClientServerConfig(server_command=[os.environ["LLMP"], "lsp"]),
    params=["visual-studio-code", "neovim", "emacs"],
)
async def client(request, lsp_client: LanguageClient):
    lsp_client.versions = {}

    def published(params: types.PublishDiagnosticsParams):
        lsp_client.diagnostics[params.uri] = params.diagnostics
        lsp_client.versions[params.uri] = params.version

    # In place of pytest-lsp's own handler, which forgets versions.
    lsp_client.protocol.fm.features["textDocument/publishDiagnostics"] = published

    @lsp_client.feature("client/registerCapability")
    def registered(params: types.RegistrationParams):
        return None

    capabilities = client_capabilities(request.param)
    result = await lsp_client.initialize_session(types.InitializeParams(capabilities=capabilities))
    lsp_client.server = result.capabilities
    lsp_client.capabilities = capabilities
    yield
    await lsp_client.shutdown_session()


@pytest.fixture
def desk(client: LanguageClient, tmp_path: pathlib.Path) -> Desk:
    desk = Desk(client, tmp_path)
    desk.open(desk.main, PROGRAM)
    return desk
