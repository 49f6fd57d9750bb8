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
