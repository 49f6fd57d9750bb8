"""Each feature once, for each editor."""

import pytest
from lsprotocol import types

from conftest import BOOKS, PROGRAM


def here(desk, text):
    return {"text_document": desk.identifier(desk.main), "position": desk.behind(desk.main, text)}


@pytest.mark.asyncio
async def test_a_clean_program_is_clean(desk):
    assert await desk.diagnostics(desk.main) == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "right, wrong",
    [
        ("layers ", "layrs "),
        ("vocab = 4096", "vocb = 4096"),
        ("tokens = 4M", "tokens = 4M\n  schedule = cosine(peak = 3e-4, warmpu = 2%)"),
        ("tokens = 4M", "tokens = 4M\n  optimizer = adamw(weigth_decay = 0.1)"),
        ("detect_language()", "detect_langage()"),
        (".lang ==", ".lnag =="),
        ("bits_per_byte", "bits_per_bite"),
    ],
)
async def test_a_typo_is_found_and_its_fix_leaves_a_clean_file(desk, right, wrong):
    desk.replace(desk.main, right, wrong)
    said = await desk.diagnostics(desk.main)
    errors = [d for d in said if d.severity == types.DiagnosticSeverity.Error]
    assert errors, said
    context = types.CodeActionContext(diagnostics=[errors[0]], only=[types.CodeActionKind.QuickFix])
    params = types.CodeActionParams(text_document=desk.identifier(desk.main), range=errors[0].range, context=context)
    actions = await desk.client.text_document_code_action_async(params)
    desk.apply(actions[0].edit)
    assert await desk.diagnostics(desk.main) == [], actions[0].title


@pytest.mark.asyncio
async def test_hover_shows_computed_values(desk):
    hover = await desk.client.text_document_hover_async(types.HoverParams(**here(desk, "model ti")))
    assert "parameters" in hover.contents.value


@pytest.mark.asyncio
async def test_definition_leads_into_other_files(desk):
    found = await desk.client.text_document_definition_async(types.DefinitionParams(**here(desk, "clean = boo")))
    uri = getattr(found[0], "target_uri", None) or found[0].uri
    assert uri == desk.data


@pytest.mark.asyncio
async def test_rename_reaches_every_file(desk):
    desk.open(desk.data, BOOKS)
    params = types.RenameParams(**here(desk, "clean = boo"), new_name="novels")
    desk.apply(await desk.client.text_document_rename_async(params))
    assert "source novels =" in desk.texts[desk.data]
    assert "use { novels }" in desk.texts[desk.main] and "clean = novels" in desk.texts[desk.main]
    assert await desk.diagnostics(desk.main) == []


@pytest.mark.asyncio
async def test_completion_offers_missing_members_and_columns(desk):
    desk.replace(desk.main, "kv_heads  = 2\n", "kv_heads  = 2\n  no\n")
    found = await desk.client.text_document_completion_async(types.CompletionParams(**here(desk, "\n  no")))
    labels = [item.label for item in found.items]
    assert "norm" in labels and "layers" not in labels
    desk.replace(desk.main, "\n  no\n", "\n")
    desk.replace(desk.main, "dedup_minhash()", "keep_if(.)")
    found = await desk.client.text_document_completion_async(types.CompletionParams(**here(desk, "|> keep_if(.lang == \"en\") |> keep_if(.")))
    assert "lang_score" in [item.label for item in found.items]
    resolved = await desk.client.completion_item_resolve_async(found.items[0])
    assert resolved.label == found.items[0].label


@pytest.mark.asyncio
async def test_whole_documents(desk):
    of = {"text_document": desk.identifier(desk.main)}
    symbols = await desk.client.text_document_document_symbol_async(types.DocumentSymbolParams(**of))
    assert [s.name for s in symbols][:3] == ["clean", "tok", "tiny"]
    tokens = await desk.client.text_document_semantic_tokens_full_async(types.SemanticTokensParams(**of))
    assert len(tokens.data) % 5 == 0 and len(tokens.data) > 100
    lines = types.Range(start=types.Position(0, 0), end=types.Position(PROGRAM.count("\n"), 0))
    hints = await desk.client.text_document_inlay_hint_async(types.InlayHintParams(**of, range=lines))
    assert any("parameters" in hint.label for hint in hints)
    folds = await desk.client.text_document_folding_range_async(types.FoldingRangeParams(**of))
    assert folds
    lenses = await desk.client.text_document_code_lens_async(types.CodeLensParams(**of))
    assert any(lens.command.command == "llmp.showPlan" for lens in lenses)
    links = await desk.client.text_document_document_link_async(types.DocumentLinkParams(**of))
    assert links[0].target == desk.data


@pytest.mark.asyncio
async def test_layout(desk):
    desk.replace(desk.main, "layers    =", "layers=")
    options = types.FormattingOptions(tab_size=2, insert_spaces=True)
    params = types.DocumentFormattingParams(text_document=desk.identifier(desk.main), options=options)
    desk.apply_edits(desk.main, await desk.client.text_document_formatting_async(params))
    assert "  layers    = 4" in desk.texts[desk.main]


@pytest.mark.asyncio
async def test_plans_and_lineage(desk):
    params = types.ExecuteCommandParams(command="llmp.showPlan", arguments=[desk.main])
    shown = await desk.client.workspace_execute_command_async(params)
    mermaid = shown["mermaid"] if isinstance(shown, dict) else shown.mermaid
    assert mermaid.startswith("flowchart TD")
    at = types.CallHierarchyPrepareParams(**here(desk, "pretrain co"))
    item = (await desk.client.text_document_prepare_call_hierarchy_async(at))[0]
    made = await desk.client.call_hierarchy_outgoing_calls_async(types.CallHierarchyOutgoingCallsParams(item=item))
    assert sorted(call.to.name for call in made) == ["clean", "tiny"]


@pytest.mark.asyncio
async def test_signature_selection_and_highlight(desk):
    help = await desk.client.text_document_signature_help_async(types.SignatureHelpParams(**here(desk, "bpe(")))
    assert help.signatures[0].label.startswith("bpe(") and help.active_parameter == 0
    at = desk.behind(desk.main, "vocab = 40")
    params = types.SelectionRangeParams(text_document=desk.identifier(desk.main), positions=[at])
    ranges = await desk.client.text_document_selection_range_async(params)
    assert ranges[0].parent is not None
    marks = await desk.client.text_document_document_highlight_async(types.DocumentHighlightParams(**here(desk, "model ti")))
    assert len(marks) == 2


WHOLE = types.Range(start=types.Position(0, 0), end=types.Position(999, 0))


@pytest.mark.asyncio
async def test_references_and_rename_from_a_column_of_a_built_in(desk):
    context = types.ReferenceContext(include_declaration=True)
    params = types.ReferenceParams(**here(desk, "clean = boo"), context=context)
    uses = await desk.client.text_document_references_async(params)
    assert sorted({use.uri for use in uses}) == sorted([desk.main, desk.data])
    word = await desk.client.text_document_prepare_rename_async(types.PrepareRenameParams(**here(desk, "clean = boo")))
    assert word.placeholder == "books"
    kind = await desk.client.text_document_type_definition_async(types.TypeDefinitionParams(**here(desk, "model ti")))
    uri = getattr(kind[0], "target_uri", None) or kind[0].uri
    assert uri.endswith("model.md")


@pytest.mark.asyncio
async def test_colors_in_parts_and_as_changes(desk):
    of = {"text_document": desk.identifier(desk.main)}
    full = await desk.client.text_document_semantic_tokens_full_async(types.SemanticTokensParams(**of))
    part = await desk.client.text_document_semantic_tokens_range_async(types.SemanticTokensRangeParams(**of, range=WHOLE))
    assert list(part.data) == list(full.data)
    params = types.SemanticTokensDeltaParams(**of, previous_result_id=full.result_id)
    delta = await desk.client.text_document_semantic_tokens_full_delta_async(params)
    assert not delta.edits


@pytest.mark.asyncio
async def test_refactorings_fix_all_and_imports(desk):
    async def ask(only, range):
        context = types.CodeActionContext(diagnostics=[], only=[only])
        params = types.CodeActionParams(text_document=desk.identifier(desk.main), range=range, context=context)
        return await desk.client.text_document_code_action_async(params)

    at = desk.texts[desk.main].index("192")
    found = await ask("refactor.extract", desk.range(desk.main, at, at + 3))
    assert [action.title for action in found] == ["Extract into a `let`", "Extract into a `param`"]
    desk.apply(found[1].edit)
    assert await desk.diagnostics(desk.main) == []
    desk.replace(desk.main, "layers ", "layrs ")
    desk.replace(desk.main, "vocab =", "vocb =")
    desk.apply((await ask("source.fixAll.llmp", WHOLE))[0].edit)
    assert await desk.diagnostics(desk.main) == []
    desk.replace(desk.main, 'use { books } from "./data.llmp"', 'use { books } from "./data.llmp"\nuse { llama } from "std/arch"')
    desk.apply((await ask("source.organizeImports", WHOLE))[0].edit)
    assert desk.texts[desk.main].index("std/arch") < desk.texts[desk.main].index("./data.llmp")


@pytest.mark.asyncio
async def test_layout_of_a_part_and_while_typing(desk):
    options = types.FormattingOptions(tab_size=2, insert_spaces=True)
    of = {"text_document": desk.identifier(desk.main), "options": options}
    desk.replace(desk.main, "layers    =", "layers=")
    edits = await desk.client.text_document_range_formatting_async(types.DocumentRangeFormattingParams(**of, range=WHOLE))
    desk.apply_edits(desk.main, edits)
    assert "\n  layers    = 4\n" in desk.texts[desk.main]
    desk.replace(desk.main, "model  = tiny\n", "model= tiny\n")
    at = desk.behind(desk.main, "tokens = 4M\n}")
    params = types.DocumentOnTypeFormattingParams(**of, position=at, ch="}")
    desk.apply_edits(desk.main, await desk.client.text_document_on_type_formatting_async(params) or [])
    assert "\n  model  = tiny\n" in desk.texts[desk.main]


@pytest.mark.asyncio
async def test_files_that_move_and_names_of_the_workspace(desk):
    moved = types.FileRename(old_uri=desk.data, new_uri=desk.data.replace("data.llmp", "in/books.llmp"))
    edit = await desk.client.workspace_will_rename_files_async(types.RenameFilesParams(files=[moved]))
    desk.apply(edit)
    assert 'from "./in/books.llmp"' in desk.texts[desk.main]
    desk.open(desk.data, BOOKS)
    found = await desk.client.workspace_symbol_async(types.WorkspaceSymbolParams(query="bks"))
    assert found[0].name == "books"
    item = await desk.client.text_document_prepare_call_hierarchy_async(types.CallHierarchyPrepareParams(**here(desk, "model ti")))
    uses = await desk.client.call_hierarchy_incoming_calls_async(types.CallHierarchyIncomingCallsParams(item=item[0]))
    assert [call.from_.name for call in uses] == ["core"]
