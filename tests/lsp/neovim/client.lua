-- Neovim without a screen: attach, diagnostics, hover, rename, a code action applied. Ends with 0 if all is as it should be.
local folder = os.getenv("PROJECT")
local path = folder .. "/main.llmp"
local program = [[
llmp 1

source books = text("books/*.txt")
tokenizer tok = bpe(train_on = books, vocab = 4096)

model tiny {
  tokenizer = tok
  layers    = 4
  width     = 192
  heads     = 6
  context   = 256
}

pretrain core {
  model  = tiny
  data   = books
  tokens = 4M
}
]]

local function fail(words)
  io.stderr:write("neovim: " .. words .. "\n")
  vim.cmd("cquit 1")
end

local function expect(condition, words)
  if not condition then
    fail(words)
  end
end

local function ask(client, method, params)
  local answer, problem
  local done = false
  client.request(method, params, function(err, result)
    answer, problem, done = result, err, true
  end, 0)
  expect(vim.wait(20000, function() return done end, 10), method .. " was not answered")
  expect(problem == nil, method .. ": " .. vim.inspect(problem))
  return answer
end

local function text()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), "\n") .. "\n"
end

local function at(words)
  for number, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, true)) do
    local _, last = line:find(words, 1, true)
    if last then
      return { textDocument = vim.lsp.util.make_text_document_params(), position = { line = number - 1, character = last } }
    end
  end
  fail("no place " .. words)
end

local function main()
  local file = assert(io.open(path, "w"))
  file:write(program)
  file:close()
  vim.cmd("edit " .. path)
  local id = vim.lsp.start_client({ name = "llmp", cmd = { os.getenv("LLMP"), "lsp" }, root_dir = folder })
  expect(id, "the server does not start")
  vim.lsp.buf_attach_client(0, id)
  expect(vim.wait(20000, function()
    local client = vim.lsp.get_client_by_id(id)
    return client and client.initialized
  end, 10), "the server did not greet")
  local client = vim.lsp.get_client_by_id(id)
  local errors = function()
    return #vim.diagnostic.get(0, { severity = vim.diagnostic.severity.ERROR })
  end

  -- A typo at any depth is published, and the code action mends it.
  local typos = {
    { "layers", "layrs" },
    { "vocab = 4096", "vocb = 4096" },
    { "tokens = 4M", "tokens = 4M, schedule = cosine(peak = 3e-4, warmpu = 2%%)" },
    { "tokens = 4M", "tokens = 4M, optimizer = adamw(weigth_decay = 0.1)" },
  }
  local before = vim.api.nvim_buf_get_lines(0, 0, -1, true)
  for _, typo in ipairs(typos) do
    local right, wrong = typo[1], typo[2]
    local number = vim.fn.search(right, "w")
    vim.api.nvim_buf_set_lines(0, number - 1, number, true, { (before[number]:gsub(right, wrong)) })
    expect(vim.wait(20000, function() return errors() == 1 end, 10), "no diagnostic for " .. wrong)
    local found = vim.diagnostic.get(0, { severity = vim.diagnostic.severity.ERROR })[1]
    local range = { start = { line = found.lnum, character = found.col }, ["end"] = { line = found.end_lnum, character = found.end_col } }
    local actions = ask(client, "textDocument/codeAction", {
      textDocument = vim.lsp.util.make_text_document_params(),
      range = range,
      context = { diagnostics = {}, only = { "quickfix" } },
    })
    expect(actions and actions[1] and actions[1].edit, "no code action for " .. wrong)
    vim.lsp.util.apply_workspace_edit(actions[1].edit, client.offset_encoding)
    expect(vim.wait(20000, function() return errors() == 0 end, 10), "the mended text is not clean: " .. text())
    vim.api.nvim_buf_set_lines(0, 0, -1, true, before)
    expect(vim.wait(20000, function() return errors() == 0 end, 10), "the first text is not clean")
  end

  local hover = ask(client, "textDocument/hover", at("model ti"))
  expect(hover and hover.contents.value:find("parameters", 1, true), "hover says nothing")

  local params = at("model ti")
  params.newName = "small"
  vim.lsp.util.apply_workspace_edit(ask(client, "textDocument/rename", params), client.offset_encoding)
  expect(text():find("model small {", 1, true) and text():find("model  = small", 1, true), "rename left a use behind")

  local edits = ask(client, "textDocument/formatting", { textDocument = vim.lsp.util.make_text_document_params(), options = { tabSize = 2, insertSpaces = true } })
  if edits and #edits > 0 then
    vim.lsp.util.apply_text_edits(edits, 0, client.offset_encoding)
  end
  expect(text():find("\n  layers    = 4\n", 1, true), "the layout is not the one layout")
  client.stop()
  expect(vim.wait(10000, function() return client.is_stopped() end, 10), "the server does not leave")
  print("neovim: attach, diagnostics, code action, hover, rename, layout")
end

local fine, problem = pcall(main)
if not fine then
  fail(tostring(problem))
end
vim.cmd("qall!")
