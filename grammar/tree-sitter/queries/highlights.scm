; Colours of llmp. What only the checker knows (data, models, steps) comes from the language server.
(comment) @comment
((comment) @comment.documentation (#match? @comment.documentation "^##"))

["llmp" "use" "from" "as" "param" "let" "check" "variant" "rounds" "for" "in" "carry" "next" "like"] @keyword
["if" "then" "else"] @keyword.conditional
(infix) @operator
(prefix) @operator
["=" ":" "?" "@"] @operator
["," "."] @punctuation.delimiter
["(" ")" "[" "]" "{" "}"] @punctuation.bracket

(decl kind: (name) @keyword.type)
(decl name: (name) @type.definition)
(let_item name: (name) @variable)
(param_item name: (name) @variable.parameter)
(variant_item name: (name) @label)
(rounds_item name: (name) @module)
(param name: (name) @variable.parameter)
(attr (name) @attribute)
(use_name (name) @variable)
(type_name (name) @type)

(target (name) @property)
(arg name: (name) @property)
(unary . (name) @function.call . (args))
(field_get (name) @property)
(column) @variable.member

(number) @number
(suffix) @number
(unit) @keyword.modifier
(bool) @boolean
(none) @constant.builtin
(string) @string
(raw_string) @string.regexp
(text_block) @string
(brace) @string.escape
(escape) @string.escape
(interp ["{" "}"] @punctuation.special)
