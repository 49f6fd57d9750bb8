-- Neovim 0.11 or later: copy to ~/.config/nvim/lsp/llmp.lua and add
--   vim.filetype.add({ extension = { llmp = "llmp" } })
--   vim.lsp.enable("llmp")
-- to init.lua. Older versions: see the end of this file.
return {
  cmd = { "llmp", "lsp" },
  filetypes = { "llmp" },
  root_markers = { "llmp.lock", ".llmp", ".git" },
}

-- Neovim 0.7 to 0.10, in init.lua:
--   vim.api.nvim_create_autocmd({ "BufRead", "BufNewFile" }, {
--     pattern = "*.llmp",
--     callback = function(args)
--       vim.bo[args.buf].filetype = "llmp"
--       vim.bo[args.buf].commentstring = "# %s"
--       local id = vim.lsp.start_client({ name = "llmp", cmd = { "llmp", "lsp" }, root_dir = vim.fn.getcwd() })
--       if id then vim.lsp.buf_attach_client(args.buf, id) end
--     end,
--   })

-- Colours by tree-sitter, also without the server (Neovim 0.9 or later):
--   grammar/tree-sitter/build.sh ~/.config/nvim/parser/llmp.so
--   mkdir -p ~/.config/nvim/queries/llmp && cp grammar/tree-sitter/queries/highlights.scm ~/.config/nvim/queries/llmp/
-- and in init.lua:
--   vim.api.nvim_create_autocmd("FileType", { pattern = "llmp", callback = function() vim.treesitter.start() end })
